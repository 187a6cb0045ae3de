# D11: another MX may do TLS.
host mx.example 10 192.0.2.1
host mx2.example 20 192.0.2.2
job tls=encrypt
conn 0
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: QUIT
conn 1 192.0.2.2
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 STARTTLS
C: STARTTLS
