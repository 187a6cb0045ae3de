# A transaction without DATA is ended by RSET, only before the next MAIL.
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
S: 554 5.5.1 no valid recipients
silence
result 0 outcome=failed code=550
job id=2 limit=1
conns 1
C: RSET
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
S: 250 reset
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
content
S: 250 ok
result 1 outcome=delivered use=2 job=2
