# A better host than ourselves is tried; an equal one and a worse one are not.
conf smtpd_listen = 192.0.2.2:25/mx
host mx.example 10 192.0.2.1
host ours.example 20 192.0.2.2
host equal.example 20 192.0.2.3
host worse.example 30 192.0.2.4
refuse 192.0.2.1
job
conns 0
result 0 outcome=deferred class=connection
