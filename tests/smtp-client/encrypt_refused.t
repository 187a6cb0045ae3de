# D11: encrypt: never in clear.
host mx.example 10 192.0.2.1
job tls=encrypt
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 STARTTLS
C: STARTTLS
S: 454 4.7.0 TLS not available
C: QUIT
result 0 outcome=deferred class=tls tls=failed
conns 1
