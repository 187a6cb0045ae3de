# D5: unknown codes by their first digit.
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
S: 299 fine
S: 299 fine
S: 354 go
content
S: 299 fine
result 0 outcome=delivered code=299
job id=2 limit=1
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 250 ok
S: 459 hm
S: 559 no
result 1 outcome=deferred code=459
job id=3 limit=1
C: RSET
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 250 ok
S: 250 ok
S: 559 no
S: 503 no
result 2 outcome=failed code=559
