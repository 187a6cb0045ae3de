# user@[127.0.0.1] reaches nothing inside.
conf smtp_address_policy = auto
job hop=[127.0.0.1]
conns 0
result 0 outcome=failed class=routing text=smtp_address_policy
