# What an administrator names may be anywhere.
conf smtp_address_policy = public
job hop=[127.0.0.1]:2525 fixed=yes
conn 0 127.0.0.1
conns 1
