# Without PIPELINING each command waits for its reply.
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250 mx.example
C: MAIL FROM:<b@example.org>
silence
S: 250 Ok
C: RCPT TO:<r@example.net>
silence
S: 250 Ok
C: DATA
S: 354 go
content
S: 250 Ok
result 0 outcome=delivered code=250 enh=2.0.0
