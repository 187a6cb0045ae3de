# S47: a message under way is taken, then the session ends.
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
drain
quiet
C> From: a@example.org\r\n.\r\n
quiet
done
S: 250 2.0.0 *
S: 421 4.3.2 *
closed
over
