# A third challenge is none that LOGIN knows.
host mx.example 10 192.0.2.1
job fixed=yes hop=[mx.example]:587 tls=encrypt user=shop password=secret
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
S: 250 AUTH LOGIN
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: c2hvcA==
S: 334 UGFzc3dvcmQ6
C: c2VjcmV0
S: 334 bW9yZQ==
C: QUIT
result 0 outcome=deferred class=config transcript=[hidden]
