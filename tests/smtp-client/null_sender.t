# The null return path is written as such.
host mx.example 10 192.0.2.1
job from=
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<>
C: RCPT TO:<r@example.net>
