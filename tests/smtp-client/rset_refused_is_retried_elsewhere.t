# A connection that does not even reset is given up.
host mx.example 10 192.0.2.1
job id=1 limit=1
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 250 ok
S: 550 5.1.1 unknown user
S: 554 none
job id=2 limit=1
C: RSET
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 500 what
closed
conn 1
results 1
