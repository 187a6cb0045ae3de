# D11: encrypt: never in clear.
host mx.example 10 192.0.2.1
job tls=encrypt
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: QUIT
result 0 outcome=deferred enh=4.7.4 class=tls connect=1 policy=encrypt source=table
conns 1
