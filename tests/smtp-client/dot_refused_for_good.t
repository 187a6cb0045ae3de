# The reply to the dot decides: 5xx fails.
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
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
content
S: 554 5.7.1 Message contains spam
result 0 outcome=failed code=554 class=spam_content hard=0 command=. transcript=C: [content, 46 bytes]\nC: .\nS: 554 5.7.1 Message contains spam
