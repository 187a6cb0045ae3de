# At most smtp_mx_address_limit addresses are tried.
conf smtp_mx_address_limit = 2
host mx.example 10 192.0.2.1
host mx2.example 20 192.0.2.2
host mx3.example 30 192.0.2.3
refuse 192.0.2.1
refuse 192.0.2.2
job
conns 0
result 0 outcome=deferred ip=192.0.2.2
