# D7: 421 before anything was said about the message: the next MX.
host mx.example 10 192.0.2.1
host mx2.example 20 192.0.2.2
job
conn 0
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 421 4.7.0 too many connections
conn 1 192.0.2.2
results 0
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
content
S: 250 ok
result 0 outcome=delivered ip=192.0.2.2 use=1
