# D23: SMTPUTF8 needed and not offered (RFC 6531 3.5).
host mx.example 10 192.0.2.1
job flags=utf8
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 8BITMIME
silence
result 0 outcome=failed code=550 enh=5.6.7 class=content hard=0
pass 3s
C: QUIT
