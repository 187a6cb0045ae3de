# RFC 9293 3.6: printf 'EHLO ... QUIT' | nc -N; the dot has come, so it is mail.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
log late
C> EHLO client.example\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nFrom: a@example.org\r\n\r\n1\r\n.\r\nRSET\r\nQUIT\r\n
half
S: 220 *
S* 8 250*
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
quiet
done
S: 250 2.0.0 Thanks*
S: 250 2.0.0 Ok
S: 221 *
closed
stored 1
