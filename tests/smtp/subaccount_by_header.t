# 2.2: the name goes to accountd, and to the record.
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
C> From: a@example.org\r\nX-MC-Subaccount: shop\r\n.\r\n
S: 250 2.0.0 *
field account_name acme/shop
