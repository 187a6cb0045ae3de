# S36: each greeting after the first counts as NOOP does.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C* 300 HELO client.example\r\n
S* 121 250 *
S: 421 4.7.0 *
closed
