# RFC 8689 section 2: offered and taken inside TLS only; the record has it.
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S: 250-*
S: 250-PIPELINING
S: 250-SIZE *
S: 250-AUTH *
S: 250-ENHANCEDSTATUSCODES
S: 250-8BITMIME
S: 250-DSN
S: 250-REQUIRETLS
S: 250-SMTPUTF8
S: 250 CHUNKING
C: AUTH PLAIN AGFueXRoaW5nAGtleQ==
S: 235 2.7.0 *
C: MAIL FROM:<a@example.org> REQUIRETLS=1
S: 501 *
C: MAIL FROM:<a@example.org> REQUIRETLS
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\nx\r\n.\r\n
S: 250 2.0.0 *
field flags 9
