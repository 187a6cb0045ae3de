# Test keys and paused accounts.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
accountd flags 7
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n.\r\n
S: 250 2.0.0 *
field flags 209
