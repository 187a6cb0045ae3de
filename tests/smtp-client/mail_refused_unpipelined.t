# The same without PIPELINING: the connection is free at once.
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250 mx.example
C: MAIL FROM:<b@example.org>
S: 451 4.7.1 greylisted, come back in 5 minutes
result 0 outcome=deferred class=greylist
silence
