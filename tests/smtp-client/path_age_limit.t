# A connection is closed when it is as old as the job allows, idle or not.
conf smtp_connection_idle_time = 60s
host mx.example 10 192.0.2.1
job id=1 limit=1 seconds=20
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
pass 15s
silence
pass 6s
C: QUIT
closed
job id=2 limit=1 seconds=20
conn 1
S: 220 mx.example ESMTP
C: EHLO client.example
pass 21s
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
C: QUIT
closed
conns 2
