# S18.
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
C: BDAT 70000
C* 700 01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567\r\n
S: 552 5.3.4 *
C: DATA
S: 503 5.5.1 *
C: BDAT 4 LAST
C> abcd
S: 503 5.5.1 *
stored 0
