# With PIPELINING all commands go out before a reply (RFC 2920 3.1).
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
silence
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
content
S: 250 2.0.0 Ok: queued as 1
result 0 outcome=delivered code=250 enh=2.0.0 use=1 last=1 job=1 host=mx.example ip=192.0.2.1 tls=none policy=may source=default esmtp=PIPELINING size=46 text=250 2.0.0 Ok: queued as 1
pass 3s
C: QUIT
closed
results 1
