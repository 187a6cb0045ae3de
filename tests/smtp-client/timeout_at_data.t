# D20: the time of RFC 5321 4.5.3.2 for this reply.
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
pass 119s
results 0
pass 2s
closed
result 0 outcome=deferred class=timeout
