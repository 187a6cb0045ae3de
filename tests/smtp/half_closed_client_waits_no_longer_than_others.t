# The question to accountd has its own deadline.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
accountd silent
S: 220 *
C: EHLO client.example
S* 8 250*
C> MAIL FROM:<a@example.org>\r\nQUIT\r\n
half
quiet
pass 30
S: 451 *
S: 221 *
closed
