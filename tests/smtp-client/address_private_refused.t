# An MX with private addresses only takes no mail of strangers.
conf smtp_address_policy = public
host mx.example 10 127.0.0.1
host two.example 20 10.1.2.3
host three.example 20 fd00::1
job
conns 0
result 0 outcome=failed class=routing text=smtp_address_policy
