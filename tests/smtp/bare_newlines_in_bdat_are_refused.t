# S3: the same rule for BDAT.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: BDAT 18 LAST
C> From: a@b.c\r\n\r\na\nb
S: 550 5.6.11 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: BDAT 18 LAST
C> From: a@b.c\r\n\r\nab\r
S: 550 5.6.11 *
stored 0
