# D11: encrypt: never in clear.
host mx.example 10 192.0.2.1
job tls=learned
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 STARTTLS
C: STARTTLS
S: 220 go
turn
raw: no TLS\r\n
close
result 0 outcome=deferred enh=4.7.5 class=tls policy=learned source=learned
conns 1
