# A connection that has logged in carries no mail of others, nor the reverse.
host mx.example 10 192.0.2.1
job id=1 hop=[mx.example]:587 fixed=yes tls=encrypt user=shop password=secret
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 STARTTLS
C: STARTTLS
S: 220 2.0.0 go ahead
tls
C: EHLO client.example
S: 250-mx.example
S: 250 AUTH PLAIN
C: AUTH PLAIN AHNob3AAc2VjcmV0
S: 235 2.7.0 welcome
C: MAIL FROM:<b@example.org>
S: 250 2.1.0 Ok
C: RCPT TO:<r@example.net>
S: 250 2.1.5 Ok
C: DATA
S: 354 go on
content
S: 250 2.0.0 taken
job id=2 hop=[mx.example]:587 fixed=yes tls=encrypt
conns 2
conn 1 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
