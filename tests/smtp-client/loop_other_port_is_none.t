# Another port of our address is another server.
conf smtpd_listen = 192.0.2.1:2525/submission
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mx.example ESMTP
C: EHLO client.example
