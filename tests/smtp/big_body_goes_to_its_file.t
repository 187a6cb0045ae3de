# Above 256 KB: synced before its record.
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
C> From: a@example.org\r\nDate: x\r\nMessage-ID: <a@b>\r\n\r\n
C* 5000 ..012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345\r\n
C: .
S: 250 2.0.0 *
field big_file 77
field big_len 500000
field flags 0
is ..012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345\r\n
