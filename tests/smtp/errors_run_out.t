# S36.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C* 30 FOO\r\n
S* 20 502 5.5.2 *
S: 421 4.7.0 *
closed
