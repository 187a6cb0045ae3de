# S16: over many connections, and forgotten in time.
conf smtpd_client_auth_failure_limit = 1
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
connect
S: 421 4.7.0 *
closed
pass 601
connect
S: 220 *
