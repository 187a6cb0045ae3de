# S47: 250, then 221.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
log late
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n.\r\nQUIT\r\n
quiet
done
S: 250 2.0.0 *
S: 221 2.0.0 *
closed
stored 1
