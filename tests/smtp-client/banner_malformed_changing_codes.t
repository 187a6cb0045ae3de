# D3, D4: a malformed reply is a protocol error: deferred.
host mx.example 10 192.0.2.1
job
conn 0
raw: 220-x\r\n554 y\r\n
result 0 outcome=deferred class=protocol connect=1
