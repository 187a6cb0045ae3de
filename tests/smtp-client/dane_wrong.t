# RFC 7672 2.2: another certificate is as bad as none; the next host may serve.
conf smtp_tls_level = dane
host mx1.example 10 192.0.2.1 wrong
host mx2.example 20 192.0.2.2 wrong
job id=1
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 STARTTLS
C: STARTTLS
S: 220 go
tls
conn 1 192.0.2.2
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 STARTTLS
C: STARTTLS
S: 220 go
tls
result 0 outcome=deferred class=tls enh=4.7.5 tls=encrypted policy=dane verified=0 text=TLS required (dane)
conns 2
