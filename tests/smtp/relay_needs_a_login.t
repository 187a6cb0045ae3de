# S48.
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 530 5.7.0 *
C: RCPT TO:<b@example.net>
S: 503 5.5.1 *
