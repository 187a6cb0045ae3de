# S14: a megabyte is not decoded.
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
C* 12000 A
C: AAAA
S: 501 5.5.2 *
C: AUTH PLAIN
S: 334 
C* 1000000 A
S: 421 *
closed
