# Which subaccount a message is for is known at its end.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
full 7/3 on
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\nX-MC-Subaccount: shop\r\n.\r\n
S: 452 4.3.1 The queue of this account *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n.\r\n
S: 250 2.0.0 *
stored 1
