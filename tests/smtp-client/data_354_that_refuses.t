# D17: 354 with a refusal as text; no content is sent.
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
S: 354 5.7.1 go away
closed
silence
result 0 outcome=deferred class=protocol
