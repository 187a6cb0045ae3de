# D30: what the server says is kept as it is; printers escape it.
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
raw: 550 5.1.1 \e[31munknown user \xff\r\n
S: 554 no
result 0 outcome=failed code=550 text=[31munknown user
