# D7: 421 at RCPT defers all that is open and closes.
host mx.example 10 192.0.2.1
job to=a@x.example,b@x.example,c@x.example
conn 0
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<a@x.example>
C: RCPT TO:<b@x.example>
C: RCPT TO:<c@x.example>
C: DATA
S: 250 ok
S: 250 ok
S: 421 4.4.5 busy
closed
results 3
result 0 outcome=deferred code=421
result 1 outcome=deferred code=421
result 2 outcome=deferred code=421
