# Port 465.
conf cert
role submissions
tls
S: 220 mx.test ESMTP *
C: EHLO client.example
S* 3 250-*
S: 250-AUTH PLAIN LOGIN
S* 6 250*
C: AUTH PLAIN AGEAYg==
S: 235 2.7.0 *
pass 200
quiet
