# Nothing said before RCPT condemns a recipient.
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250 mx.example
C: MAIL FROM:<b@example.org>
S: 550 5.1.8 Domain not found
result 0 outcome=failed class=sender hard=0
