# S1, S2: no other bytes end a message, and none of them is taken.
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
C> From: a@example.org\r\n\r\ntext\n.\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r.\r
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r.\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\n.\r
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\n.\r\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r\n.\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r.\r\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r\n.\r
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r\n\0.\r\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r\n.\0\r\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r\n.\r\r\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\ntext\r\r\n.\r\r\n
quiet
C> MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nFrom: e@example.org\r\n\r\nx
quiet
C> \r\n.\r\n
S: 550 5.6.11 *
stored 0
