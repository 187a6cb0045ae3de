# S44: so that those who send mail find room.
conf smtpd_connection_limit = 1
S: 220 *
C: EHLO client.example
S* 8 250*
pass 9
quiet
pass 1
S: 421 4.4.2 *
closed
