# S39, S40: two authors, lines that are no fields, 8-bit text nobody agreed to.
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
C> From: a@example.org\r\nFrom: b@example.org\r\n\r\nx\r\n.\r\n
S: 550 5.6.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\nfrom : b@example.org\r\n\r\nx\r\n.\r\n
S: 550 5.6.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org, b@other.example\r\n\r\nx\r\n.\r\n
S: 550 5.6.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: "b@other.example" <a@example.org>\r\n\r\nx\r\n.\r\n
S: 250 2.0.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: b@other.example <a@example.org>\r\n\r\nx\r\n.\r\n
S: 550 5.6.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\nno colon here\r\n\r\nx\r\n.\r\n
S: 550 5.6.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\nSubject: \xc3\xa4\r\n\r\nx\r\n.\r\n
S: 550 5.6.7 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\nX: a\0b\r\n\r\nx\r\n.\r\n
S: 550 5.6.11 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\nX: a\rb\r\n\r\nx\r\n.\r\n
S: 550 5.6.11 *
stored 1
