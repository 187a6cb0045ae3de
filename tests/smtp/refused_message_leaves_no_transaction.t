# S19.
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
accountd refuses 550 5.7.1 Sending domain is not verified: unsigned
C: From: a@example.org
C: 
C: x
C: .
S: 550 5.7.1 Sending domain is not verified: unsigned
C: RCPT TO:<b@example.net>
S: 503 5.5.1 *
C: DATA
S: 503 5.5.1 *
stored 0
count tx 1
