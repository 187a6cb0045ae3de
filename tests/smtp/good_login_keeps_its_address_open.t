# S16: an address with a good login of late is not shut out by failed ones.
conf smtpd_client_auth_failure_limit = 1
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
C: QUIT
S: 221 *
closed
accountd verdict 1
connect
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
connect
S: 220 *
pass 601
connect
S: 220 *
