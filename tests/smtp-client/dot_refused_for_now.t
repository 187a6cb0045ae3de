# The reply to the dot decides: 4xx defers.
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
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
content
S: 452 4.3.1 Insufficient system storage
result 0 outcome=deferred code=452 class=config
silence
