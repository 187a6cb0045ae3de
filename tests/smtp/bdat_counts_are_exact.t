# S20, S22: chunks of any size, cut anywhere.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: BDAT 0
S: 250 2.0.0 0 octets received
C: BDAT 20
C> From: a@example.org
C> \r
S: 250 2.0.0 20 octets received
C: DATA
S: 503 5.5.1 *
C: RCPT TO:<c@example.net>
S: 503 5.5.1 *
C> BDAT 5\r\n\n\r\n.xBDAT 0 LAST\r\nNOOP\r\n
S: 250 2.0.0 5 octets received
S: 250 2.0.0 Thanks! *
S: 250 2.0.0 Ok
is From: a@example.org\r\n\r\n..x\r\n
field flags 0
C: BDAT 18446744073709551616
S: 501 5.5.4 *
C: BDAT -1
S: 501 5.5.4 *
C: BDAT 5 FIRST
S: 501 5.5.4 *
C: BDAT
S: 501 5.5.4 *
C> BDAT 6\r\nNOOP\r\nBDAT 0\r\nRSET\r\n
S: 503 5.5.1 *
S: 503 5.5.1 *
S: 250 2.0.0 Ok
stored 1
