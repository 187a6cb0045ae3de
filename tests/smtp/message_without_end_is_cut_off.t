# What is too big is not read for ever.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
conf message_size_limit = 65536
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\n
C* 3000 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n
S: 552 5.3.4 *
closed
