# SIZE is announced (RFC 1870).
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 SIZE
C: MAIL FROM:<b@example.org> SIZE=46
C: RCPT TO:<r@example.net>
