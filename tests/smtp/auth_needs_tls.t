# S11: no AUTH in clear, and no mail without either.
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: AUTH PLAIN AGEAYg==
S: 538 5.7.11 *
C: MAIL FROM:<a@example.org>
S: 530 5.7.0 Must issue a STARTTLS command first
count auth 0
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
C: MAIL FROM:<a@example.org>
S: 530 5.7.0 Authentication required
