# S9, S10: after the handshake the dialogue begins anew.
conf cert
S: 220 *
C: EHLO client.example
S* 3 250-*
S: 250-STARTTLS
S* 4 250-*
S: 250 CHUNKING
C: STARTTLS now
S: 501 5.5.4 *
C: STARTTLS
S: 220 2.0.0 *
tls
quiet
C: MAIL FROM:<a@example.org>
S: 503 5.5.1 *
C: AUTH PLAIN AGEAYg==
S: 503 5.5.1 *
C: EHLO client.example
S* 3 250-*
S: 250-AUTH PLAIN LOGIN
S* 6 250*
C: STARTTLS
S: 503 5.5.1 *
