# Until accounts change.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@example.org>
S: 250 *
count client 1
C: RSET
S: 250 *
changed
C: MAIL FROM:<a@example.org>
S: 250 *
count client 2
