# D6: 250 while content is on its way: never a success.
host mx.example 10 192.0.2.1
job size=3000000
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
stall
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
turn
S: 250 thanks
result 0 outcome=deferred class=protocol
