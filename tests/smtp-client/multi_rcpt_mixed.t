# D15: each recipient by its own reply; 552 at RCPT is 452.
host mx.example 10 192.0.2.1
job to=a@x.example,b@x.example,c@x.example,d@x.example,e@x.example,f@x.example
conn 0
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<a@x.example>
C: RCPT TO:<b@x.example>
C: RCPT TO:<c@x.example>
C: RCPT TO:<d@x.example>
C: RCPT TO:<e@x.example>
C: RCPT TO:<f@x.example>
C: DATA
S: 250 ok
S: 250 ok
S: 550 5.1.1 no such user
S: 451 4.3.0 later
S: 252 cannot verify
S: 551 user not local
S: 552 5.5.3 too many
S: 354 go
content
S: 250 2.0.0 queued
results 6
result 0 to=a@x.example outcome=delivered rcpt=0 last=0
result 1 to=b@x.example outcome=failed code=550 enh=5.1.1 class=bad_mailbox hard=1 command=RCPT+TO
result 2 to=c@x.example outcome=deferred code=451 enh=4.3.0 hard=0
result 3 outcome=delivered code=250
result 4 outcome=failed code=551 class=bad_mailbox
result 5 outcome=deferred code=552 enh=4.5.3 class=too_many_rcpt last=1
