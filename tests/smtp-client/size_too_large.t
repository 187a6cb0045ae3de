# A message larger than the server's SIZE is not begun.
host mx.example 10 192.0.2.1
job
conn 0
S: 220 mx
C: EHLO client.example
S: 250-mx
S: 250 SIZE 20
silence
result 0 outcome=failed enh=5.3.4 class=too_large
