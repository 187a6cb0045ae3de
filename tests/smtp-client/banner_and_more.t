# D6: a reply before it was asked for is desync.
host mx.example 10 192.0.2.1
job
conn 0
S: 220 mx
S: 250 mx
result 0 outcome=deferred class=protocol connect=1
