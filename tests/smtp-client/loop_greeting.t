# RFC 5321 section 5.1: a host with our name is ourselves, and the rest no better.
host mx.example 10 192.0.2.1
host other.example 20 192.0.2.2
job
conn 0 192.0.2.1
S: 220 Client.Example ESMTP
C: QUIT
conns 1
result 0 outcome=failed class=routing text=mail for example.net loops back to myself
