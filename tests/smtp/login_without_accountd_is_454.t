# 4954: a temporary failure says nothing about the password.
conf smtpd_service_timeout = 10
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
accountd silent
C: AUTH PLAIN AGEAYg==
quiet
pass 10
S: 454 4.7.0 *
accountd down
C: AUTH PLAIN AGEAYg==
quiet
pass 10
S: 454 4.7.0 *
accountd ok
C: AUTH PLAIN AGEAYg==
S: 235 2.7.0 *
