# RFC 4954: AUTH LOGIN, with and without an initial response.
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
C: AUTH login
S: 334 VXNlcm5hbWU6
C: YW55dGhpbmc=
S: 334 UGFzc3dvcmQ6
C: a2V5
S: 235 2.7.0 *
count auth 1
