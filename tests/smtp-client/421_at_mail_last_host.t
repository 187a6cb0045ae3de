# D7: 421 at MAIL of the last host: deferred.
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
S: 421 4.7.0 too many connections
closed
result 0 outcome=deferred code=421 class=rate
