# S17.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: MAIL FROM:<a@example.org>
S: 503 5.5.1 *
C: RCPT TO:<a@example.org>
S: 503 5.5.1 *
C: DATA
S: 503 5.5.1 *
C: HELO client.example
S: 250 mx.test
C: RCPT TO:<a@example.org>
S: 503 5.5.1 *
C: DATA
S: 503 5.5.1 *
C: MAIL FROM:<a@example.org>
S: 250 *
C: DATA
S: 503 5.5.1 *
C: MAIL FROM:<a@example.org>
S: 503 5.5.1 *
C: EHLO client.example
S* 8 250*
C: RCPT TO:<a@example.org>
S: 503 5.5.1 *
