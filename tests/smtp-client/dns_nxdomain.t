# D27: no such domain.
dns 1 NXDOMAIN
job
result 0 outcome=failed enh=5.1.2 class=bad_domain hard=1
