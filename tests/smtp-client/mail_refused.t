# A refused sender decides for all, once all replies are there.
host mx.example 10 192.0.2.1
job to=a@x.example,b@x.example
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<a@x.example>
C: RCPT TO:<b@x.example>
C: DATA
S: 550 5.7.1 rejected by policy
results 0
S: 503 need MAIL
S: 503 need MAIL
S: 503 need RCPT
results 2
result 0 outcome=failed code=550 enh=5.7.1 class=policy hard=0 command=MAIL+FROM
result 1 outcome=failed code=550
pass 3s
C: QUIT
