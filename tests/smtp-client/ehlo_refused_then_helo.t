# D9: a server without extensions (RFC 5321 3.2).
host mx.example 10 192.0.2.1
job
conn 0
S: 220 old
C: EHLO client.example
S: 502 what?
C: HELO client.example
S: 250 old
C: MAIL FROM:<b@example.org>
