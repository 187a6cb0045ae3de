# S39: a header has a limit of its own.
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
C> From: a@example.org\r\n
C* 20000 X-Y: 0123456789\r\n
C> \r\nx\r\n.\r\n
S: 552 5.3.4 *
stored 0
