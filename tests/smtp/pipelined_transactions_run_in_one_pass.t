# RFC 2920: groups end with DATA.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C> MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nFrom: a@example.org\r\n\r\n1\r\n.\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nFrom: a@example.org\r\n\r\n2\r\n.\r\nQUIT\r\n
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 250 2.0.0 Thanks*
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 250 2.0.0 Thanks*
S: 221 *
closed
stored 2
