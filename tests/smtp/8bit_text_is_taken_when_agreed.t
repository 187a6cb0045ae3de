# 2.1.6.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org> BODY=8BITMIME
S: 250 *
C: RCPT TO:<b@example.net>
S: 250 *
C: DATA
S: 354 *
C> From: a@example.org\r\nSubject: \xc3\xa4\r\n\r\n\xc3\xa4\r\n.\r\n
S: 250 2.0.0 *
field flags 3
C: MAIL FROM:<\xc3\xa4@example.org> SMTPUTF8
S: 250 *
C: RCPT TO:<b@example.net>
S: 250 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\n.\r\n
S: 250 2.0.0 *
field flags 5
field submit_proto UTF8SMTP
