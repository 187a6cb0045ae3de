# D23: SMTPUTF8 and 8BITMIME are asked for.
host mx.example 10 192.0.2.1
job flags=utf8,8bit
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250-8BITMIME
S: 250 SMTPUTF8
C: MAIL FROM:<b@example.org> BODY=8BITMIME SMTPUTF8
C: RCPT TO:<r@example.net>
