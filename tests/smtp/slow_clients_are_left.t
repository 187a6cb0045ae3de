# S43: silence, and less than the data rate.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C: From: a@example.org
pass 29
quiet
C: X: y
pass 2
S: 421 4.4.2 *
closed
stored 0
