# D26: null MX (RFC 7505).
dns 2 MX 0 .
job
conns 0
result 0 outcome=failed enh=5.1.10 class=bad_domain hard=1 connect=1
