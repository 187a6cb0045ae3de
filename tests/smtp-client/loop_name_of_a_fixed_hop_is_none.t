# A filter on this machine has our name: the administrator knows.
host mx.example 10 192.0.2.1
job hop=[mx.example]:10025 fixed=yes
conn 0 192.0.2.1
S: 220 client.example ESMTP
C: EHLO client.example
S: 250 client.example
C: MAIL FROM:<b@example.org>
S: 250 2.1.0 Ok
C: RCPT TO:<r@example.net>
S: 250 2.1.5 Ok
C: DATA
S: 354 go on
content
S: 250 2.0.0 taken
result 0 outcome=delivered
