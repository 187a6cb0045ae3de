# At most the path's limit of connections; the others wait.
host mx.example 10 192.0.2.1
job id=1 limit=2
job id=2 limit=2
job id=3 limit=2
conns 2
