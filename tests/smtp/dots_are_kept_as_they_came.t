# S4: content stays dot-stuffed, whatever the borders.
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
C> From: a@example.org\r\nDate: x\r\nMessage-ID: <a@b>\r\n\r\n.
C> .
C> \r
C> \n.
C> .a\r\n
C> .
C> \r
C> \n
S: 250 2.0.0 *
is From: a@example.org\r\nDate: x\r\nMessage-ID: <a@b>\r\n\r\n..\r\n..a\r\n
