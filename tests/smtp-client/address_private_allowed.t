# smtp_allow_networks makes exceptions.
conf smtp_address_policy = public
conf smtp_allow_networks = 10.1.0.0/16
host mx.example 10 10.1.2.3
job
conn 0 10.1.2.3
conns 1
