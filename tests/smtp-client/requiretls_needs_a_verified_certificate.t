# RFC 8689 4.2.1: without one nothing is sent.
host mx.example 10 192.0.2.1
job flags=requiretls
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 STARTTLS
C: STARTTLS
S: 220 go
tls
result 0 outcome=deferred class=tls enh=4.7.5 source=requiretls
conns 1
