# S14: responses by themselves, empty ones, and LOGIN.
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
C: AUTH PLAIN
S: 334 
C: AGFueXRoaW5nAGtleQ==
S: 235 2.7.0 *
C: EHLO client.example
S* 10 250*
C: AUTH PLAIN
S: 503 5.5.1 *
count auth 1
