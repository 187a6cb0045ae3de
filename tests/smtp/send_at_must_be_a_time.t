# Sending at once is not what was meant.
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
C> From: a@example.org\r\nX-MC-SendAt: tomorrow\r\n.\r\n
S: 550 5.6.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\nX-MC-SendAt: 2027-06-01 00:00:00\r\n.\r\n
S: 550 5.6.0 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\nX-MC-SendAt: 2020-06-01 00:00:00\r\n.\r\n
S: 250 2.0.0 *
field not_before_us 0
