# mynetworks_account names nobody.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
accountd verdict 2
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 550 5.7.1 *
C: RCPT TO:<b@example.net>
S: 503 5.5.1 *
accountd ok
C: MAIL FROM:<a@example.org>
S: 250 *
