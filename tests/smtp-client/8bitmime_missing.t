# D23: a body of 8 bit goes as it is; its signature would not survive a change.
host mx.example 10 192.0.2.1
job flags=8bit
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
