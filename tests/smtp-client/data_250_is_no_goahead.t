# D17: 250 to DATA is no go-ahead; no content is sent.
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
S: 250 ok
closed
silence
result 0 outcome=deferred class=protocol enh=4.5.0
