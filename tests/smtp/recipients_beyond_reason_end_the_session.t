# S36: for every kind of noise there is an end.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
conf smtpd_recipient_limit = 100
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 *
C* 1200 RCPT TO:<b@example.net>\r\n
S* 100 250 2.1.5 *
S* 1001 452 4.5.3 *
S: 421 4.5.3 *
closed
