# S6: a command that is too long is no command; without end it is the end.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C* 495 x
C> yyyyyyyyyyyyyyy\r\n
S: 502 5.5.2 *
C* 2040 x
C> xxxxxxxxxxxx\r\nNOOP\r\n
S: 500 5.5.2 *
S: 250 2.0.0 *
C* 100000 x
S: 421 4.7.0 *
closed
