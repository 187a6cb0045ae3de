# D26: the best MX is this system.
dns 4 loop
job
result 0 outcome=failed enh=5.4.6 class=routing hard=0
