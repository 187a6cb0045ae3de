# D27: no host has an address.
dns 3 none
job
result 0 outcome=failed enh=5.4.4 class=routing hard=0
