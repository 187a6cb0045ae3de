# RFC 4954 section 4: a table that says may does not put a password in clear.
host mx.example 10 192.0.2.1
job fixed=yes hop=[mx.example]:587 tls=may user=shop password=secret
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 AUTH PLAIN
C: QUIT
result 0 outcome=deferred class=tls text=TLS required (auth)
