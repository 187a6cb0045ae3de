# An account whose queue is full: 452 at MAIL for its mail only.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
full 7 on
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 452 4.3.1 The queue of this account *
full 7 off
full 8 on
C: MAIL FROM:<a@example.org>
S: 250 *
C: RSET
S: 250 *
full 7 on
C: MAIL FROM:<a@example.org>
S: 452 4.3.1 *
