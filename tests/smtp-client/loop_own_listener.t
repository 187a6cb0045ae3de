# An MX that leads to our own listener is a loop, whatever its name.
conf smtpd_listen = 192.0.2.1:25/mx
host mx.example 10 192.0.2.1
host other.example 20 192.0.2.2
job
conns 0
result 0 outcome=failed class=routing text=mail for example.net loops back to myself
