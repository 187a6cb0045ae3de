# RFC 8689 section 2: not without TLS.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org> REQUIRETLS
S: 555 5.5.4 *
