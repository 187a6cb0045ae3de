# Without AUTH nothing is sent: the relay would refuse it, or take it in error.
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
S: 250 AUTH CRAM-MD5
C: QUIT
result 0 outcome=deferred class=config text=offers neither AUTH PLAIN nor AUTH LOGIN
