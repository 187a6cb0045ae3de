# RFC 8446 6.1: close_notify closes one way.
conf cert
log late
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
C> AUTH PLAIN AGFueXRoaW5nAGtleQ==\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nFrom: a@example.org\r\n\r\n1\r\n.\r\nQUIT\r\n
half
S: 235 2.7.0 *
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
quiet
done
S: 250 2.0.0 Thanks*
S: 221 *
closed
stored 1
