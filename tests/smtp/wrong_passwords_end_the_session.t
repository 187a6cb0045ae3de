# S16: three wrong ones are enough.
accountd verdict 1
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
S: 535 5.7.8 *
C: AUTH PLAIN AGEAYg==
S: 535 5.7.8 *
C: AUTH PLAIN AGEAYg==
S: 535 5.7.8 *
S: 421 4.7.0 *
closed
