# A wrong password is for an administrator to mend: the mail waits.
host mx.example 10 192.0.2.1
job fixed=yes hop=[mx.example]:587 tls=encrypt user=shop password=wrong
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
C: AUTH PLAIN AHNob3AAd3Jvbmc=
S: 535 5.7.8 who are you
C: QUIT
result 0 outcome=deferred code=535 class=config transcript=AUTH PLAIN [hidden]
