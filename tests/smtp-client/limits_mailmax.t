# RFC 9422: MAILMAX is kept.
host mx.example 10 192.0.2.1
job id=1 limit=1
conn 0
S: 220 mx
C: EHLO client.example
S: 250-mx
S: 250-PIPELINING
S: 250 LIMITS MAILMAX=1
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
content
S: 250 ok
C: QUIT
closed
