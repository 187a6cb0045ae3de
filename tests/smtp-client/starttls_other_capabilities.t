# D13: only what is said after TLS counts.
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250-SIZE
S: 250 STARTTLS
C: STARTTLS
S: 220 go
tls
C: EHLO client.example
S: 250 mx.example
C: MAIL FROM:<b@example.org>
silence
