# S7: 1000 bytes and more pass, too many do not, and nothing is cut.
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
C> From: a@example.org\r\n\r\n
C* 2048 x
C> \r\n.\r\n
S: 250 2.0.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\n
C* 2049 x
C> \r\n.\r\n
S: 550 5.6.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\n
C* 3000000 x
C> \r\n.\r\n
S: 550 5.6.0 *
stored 1
