# S15.
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
C: AUTH PLAIN AGEAYg==
S: 235 *
C: MAIL FROM:<a@example.org>
S: 250 *
C: AUTH PLAIN AGEAYg==
S: 503 5.5.1 *
