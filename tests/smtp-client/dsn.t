# DSN parameters are passed on when DSN is offered (RFC 3461).
host mx.example 10 192.0.2.1
job notify=6 orcpt=rfc822;a+2Bb@x.example ret=2 envid=QQ314159
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 DSN
C: MAIL FROM:<b@example.org> RET=HDRS ENVID=QQ314159
C: RCPT TO:<r@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@x.example
