# A reply of several lines is kept whole.
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
S: 550-5.1.1 The email account that you tried to
S: 550 5.1.1 reach does not exist. NoSuchUser
S: 554 no
result 0 outcome=failed class=bad_mailbox hard=1 text=550 5.1.1 The email account that you tried to\n5.1.1 reach does not exist.
