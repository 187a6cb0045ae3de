# A host that cannot be reached: the next one.
host mx.example 10 192.0.2.1
host mx2.example 20 192.0.2.2
refuse 192.0.2.1
job
conn 0 192.0.2.2
conns 1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
