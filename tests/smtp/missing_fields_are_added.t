# S38: Date and Message-ID, never From.
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
C: Subject: x
C: .
S: 250 2.0.0 *
has Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <
is @mx.test>\r\nSubject: x\r\n
field message_id <*@mx.test>
field header_from 
