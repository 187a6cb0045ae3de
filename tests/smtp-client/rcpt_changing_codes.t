# D4: lines of one reply with different codes: a protocol error.
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
raw: 250-x\r\n550 y\r\n
closed
result 0 outcome=deferred class=protocol
