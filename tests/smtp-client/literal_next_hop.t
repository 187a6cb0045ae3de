# An address as next hop needs no resolver.
job hop=[192.0.2.9]:2525
conn 0 192.0.2.9
S: 220 x
C: EHLO client.example
