# RFC 7672 2.2: never in clear where TLSA records are.
conf smtp_tls_level = dane
host mx.example 10 192.0.2.1 match
job id=1
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250 mx.example
C: QUIT
result 0 outcome=deferred class=tls enh=4.7.4 policy=dane
conns 1
