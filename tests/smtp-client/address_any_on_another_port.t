# auto: with another smtp_port this is no Internet.
conf smtp_address_policy = auto
conf smtp_port = 2525
host mx.example 10 127.0.0.1
job
conn 0 127.0.0.1
conns 1
