# A handshake that has failed is not paid for again, until its time is over.
conf smtp_tls_broken_time = 10m
host mx.example 10 192.0.2.1
job id=1
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 STARTTLS
C: STARTTLS
S: 220 go
turn
raw: this is no handshake\r\n
turn
closed
conn 1 192.0.2.1
S: 554 not this time
turn
result 0 outcome=deferred
job id=2
conn 2 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 STARTTLS
C: MAIL FROM:<b@example.org>
S: 550 no
turn
result 1 outcome=failed tls=failed fallback=1
pass 11m
job id=3
conn 3 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 STARTTLS
C: STARTTLS
