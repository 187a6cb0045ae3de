# A restart of accountd or signd is a delay, not a refusal.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
accountd sign example.org
S: 220 *
C: EHLO client.example
S* 8 250*
accountd down
C: MAIL FROM:<a@example.org>
quiet
pass 5
quiet
accountd ok
accountd sign example.org
pass 1
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
signd down
C> From: a@example.org\r\n.\r\n
quiet
pass 5
signd ok
pass 1
S: 250 2.0.0 *
stored 1
