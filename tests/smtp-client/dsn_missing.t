# Without DSN its parameters stay away.
host mx.example 10 192.0.2.1
job notify=6 orcpt=rfc822;a@x.example ret=2 envid=QQ314159
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 PIPELINING
C: MAIL FROM:<b@example.org>
C: RCPT TO:<r@example.net>
C: DATA
