# S14: nothing but strict base64 and a whole dialogue reaches accountd.
conf smtpd_auth_failure_limit = 10
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
C: AUTH PLAIN !!!!
S: 501 5.5.2 *
C: AUTH PLAIN AGE=AGI=
S: 501 5.5.2 *
C: AUTH PLAIN A
S: 501 5.5.2 *
C: AUTH PLAIN =
S: 501 5.5.2 *
C: AUTH PLAIN
S: 334 
C: *
S: 501 5.7.0 *
C: AUTH PLAIN b3RoZXIAYQBi
S: 535 5.7.8 *
C: AUTH CRAM-MD5
S: 504 5.5.4 *
C: AUTH
S: 501 5.5.4 *
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: ####
S: 501 5.5.2 *
count auth 0
C: NOOP
S: 250 *
