# S21: a million chunks of one byte are an attack.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C* 119 BDAT 1\r\nx
S* 119 250 2.0.0 1 octets received
C* 1 BDAT 1\r\nx
S: 250 2.0.0 1 octets received
S: 421 4.7.0 *
closed
