# D16: nobody is left but the server wants content (RFC 2920 3.1).
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 250 ok
S: 550 5.1.1 unknown user
S: 354 go
C: .
silence
S: 250 thanks
results 1
result 0 outcome=failed code=550 enh=5.1.1
