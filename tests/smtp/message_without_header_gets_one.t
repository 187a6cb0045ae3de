# S38: all of it is text then.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C: hello there
C: 
C: more
C: .
S: 250 2.0.0 *
is @mx.test>\r\n\r\nhello there\r\n\r\nmore\r\n
