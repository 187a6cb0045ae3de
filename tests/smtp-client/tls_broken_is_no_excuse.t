# Where TLS is required, an earlier failure changes nothing.
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
job id=2 tls=encrypt
conn 2 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250 STARTTLS
C: STARTTLS
