# The site takes so many messages over a connection: the job says it.
host mx.example 10 192.0.2.1
job id=1 limit=1 messages=2
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
content
S: 250 ok
job id=2 limit=1 messages=2
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
job id=3 limit=1 messages=2
conn 1
conns 2
