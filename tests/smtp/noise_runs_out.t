# S36: NOOP, RSET, VRFY before a message.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C* 300 NOOP\r\n
S* 120 250 2.0.0 *
S: 421 4.7.0 *
closed
