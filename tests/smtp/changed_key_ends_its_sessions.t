# What the key is limited to is decided anew, by the next login.
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
limit
S: 421 4.7.0 Error: the key is changed, log in again
closed
