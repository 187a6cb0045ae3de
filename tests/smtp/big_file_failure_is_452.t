# The disk is full while the body comes.
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
big fails
C> From: a@example.org\r\n\r\n
C* 5000 01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567\r\n
quiet
C: .
S: 452 4.3.1 *
stored 0
C: NOOP
S: 250 *
