# D6: one by one, two replies to one command.
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250 mx.example
C: MAIL FROM:<b@example.org>
S: 250 ok
S: 250 ok
closed
result 0 outcome=deferred class=protocol
