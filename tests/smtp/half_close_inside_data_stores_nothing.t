# S46. A dot without its CRLF is no end.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C> MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nFrom: a@example.org\r\n\r\n1\r\n.
half
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
closed
stored 0
