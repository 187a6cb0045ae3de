# D2: the deadline is for the whole reply, not for each read.
conf smtp_greeting_timeout = 60s
host mx.example 10 192.0.2.1
job
conn 0
raw: 2
pass 29s
raw: 2
pass 29s
raw: 0
results 0
pass 3s
result 0 outcome=deferred class=timeout enh=4.4.2 text=initial server greeting
