# 2.6: accepted, but never sent: the record says so.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
accountd suppress 2
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 *
C: RCPT TO:<b@example.net>
S: 250 *
C: RCPT TO:<c@example.net> NOTIFY=FAILURE
S: 250 *
C: DATA
S: 354 *
C> From: a@example.org\r\n.\r\n
S: 250 2.0.0 *
field nrcpt 2
blocked 0 no
blocked 1 yes
