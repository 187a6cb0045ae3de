# Each command is answered, and the connection ends with the last reply.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
log late
S: 220 *
C: EHLO client.example
S* 8 250*
C> MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nFrom: a@example.org\r\n\r\n1\r\n.\r\n
half
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
quiet
done
S: 250 2.0.0 Thanks*
closed
stored 1
