# D6: the reply to the dot before the content: never a success.
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
S: 250 ok
S: 354 go
S: 250 thanks
closed
silence
result 0 outcome=deferred class=protocol
