# D7: 421 at EHLO: the next MX.
host mx.example 10 192.0.2.1
host mx2.example 20 192.0.2.2
job
conn 0 192.0.2.1
S: 220 mx
C: EHLO client.example
S: 421 4.3.2 going down
C: QUIT
closed
conn 1 192.0.2.2
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
