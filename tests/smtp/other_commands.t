# S50.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
C: VRFY b@example.net
S: 252 2.0.0 *
C: EXPN list
S: 502 5.5.2 *
C: ETRN x
S: 502 5.5.2 *
C: TURN
S: 502 5.5.2 *
C: XCLIENT NAME=x
S: 502 5.5.2 *
C: XFORWARD NAME=x
S: 502 5.5.2 *
C: HELP
S: 214 2.0.0 *
C: 
S: 500 5.5.2 *
C: noop
S: 250 2.0.0 *
C: DATA now
S: 501 5.5.4 *
C: GET / HTTP/1.1
S: 554 5.5.1 *
closed
