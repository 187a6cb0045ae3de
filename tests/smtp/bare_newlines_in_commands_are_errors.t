# S5: nothing but CRLF ends a command, and NUL is none of its bytes.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C> MAIL FROM:<a@example.org>\n
S: 500 5.5.2 *
C> MAIL FROM:<a@example.org>\0\r\n
S: 500 5.5.2 *
C> MAIL FROM:<a@\rexample.org>\r\n
S: 500 5.5.2 *
C: RCPT TO:<b@example.net>
S: 503 5.5.1 *
