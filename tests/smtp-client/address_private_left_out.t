# What is public is still tried, in order.
conf smtp_address_policy = public
host mx.example 10 192.168.0.1
host mx.example 20 8.8.4.4
job
conn 0 8.8.4.4
conns 1
