# No verdict, no message.
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
accountd down
C> From: a@example.org\r\n.\r\n
quiet
pass 10
S: 451 4.3.0 *
stored 0
accountd silent
C: MAIL FROM:<a@example.org>
S: 250 *
C: RCPT TO:<b@example.net>
S: 250 *
C: DATA
S: 354 *
C> From: a@example.org\r\n.\r\n
quiet
pass 10
S: 451 4.3.0 *
stored 0
