# RFC 8689 4.2.1: DNSSEC names the host and its certificate.
conf smtp_tls_level = dane
host mx.example 10 192.0.2.1 match
job flags=requiretls
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 STARTTLS
C: STARTTLS
S: 220 go
tls
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 REQUIRETLS
C: MAIL FROM:<b@example.org> REQUIRETLS
C: RCPT TO:<r@example.net>
C: DATA
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
content
S: 250 ok
result 0 outcome=delivered tls=verified policy=dane source=dane verified=1 fallback=0
