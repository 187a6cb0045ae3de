# S10: not between MAIL and the end.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: MAIL FROM:<a@example.org>
S: 250 *
C: STARTTLS
S: 503 5.5.1 *
C: RSET
S: 250 *
C: STARTTLS
S: 220 *
tls
C: EHLO x.example
S* 10 250*
