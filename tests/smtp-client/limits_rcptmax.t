# RFC 9422: RCPTMAX is kept; the others are given back untried.
host mx.example 10 192.0.2.1
job to=a@x.example,b@x.example,c@x.example
conn 0
S: 220 mx
C: EHLO client.example
S: 250-mx
S: 250-PIPELINING
S: 250 LIMITS RCPTMAX=2
C: MAIL FROM:<b@example.org>
C: RCPT TO:<a@x.example>
C: RCPT TO:<b@x.example>
C: DATA
S: 250 ok
S: 250 ok
S: 250 ok
S: 354 go
content
S: 250 ok
results 3
result 0 outcome=delivered
result 1 outcome=delivered
result 2 outcome=returned last=1
