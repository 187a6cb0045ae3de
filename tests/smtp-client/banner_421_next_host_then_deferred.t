# D7, D8: a greeting of 421: the next MX, then deferred.
host mx.example 10 192.0.2.1
host mx2.example 20 192.0.2.2
job
conn 0 192.0.2.1
S: 421 no service for you
C: QUIT
closed
conn 1 192.0.2.2
S: 421 no service for you
result 0 outcome=deferred connect=1 code=421 hard=0 ip=192.0.2.2 text=421 no service
results 1
