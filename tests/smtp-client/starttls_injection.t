# D12: text behind the reply to STARTTLS is dropped with the connection.
host mx.example 10 192.0.2.1
job tls=encrypt
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 STARTTLS
C: STARTTLS
S: 220 go
S: 250-PIPELINING
S: 250 AUTH
conns 1
result 0 outcome=deferred class=protocol connect=1
