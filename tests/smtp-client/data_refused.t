# DATA refused: the recipients that were taken are refused with it.
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
S: 451 4.3.0 no space
result 0 outcome=deferred code=451 command=DATA
silence
