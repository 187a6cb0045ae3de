# A waiting job begins as soon as the one before is done.
host mx.example 10 192.0.2.1
job id=1 limit=1
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
job id=2 limit=1
conns 1
content
S: 250 ok
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
result 0 outcome=delivered job=1
results 1
