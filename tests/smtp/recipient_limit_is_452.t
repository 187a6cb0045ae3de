# S35: those before the limit stay good.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
conf smtpd_recipient_limit = 100
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 *
C* 130 RCPT TO:<b@example.net>\r\n
S* 100 250 2.1.5 *
S* 30 452 4.5.3 *
C: DATA
S: 354 *
C: From: a@example.org
C: .
S: 250 2.0.0 *
field nrcpt 100
C: NOOP
S: 250 *
