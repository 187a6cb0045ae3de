# No host can be reached: deferred, and the path is to blame.
host mx.example 10 192.0.2.1
host mx2.example 20 2001:db8::2
refuse 192.0.2.1
refuse 2001:db8::2
job
conns 0
result 0 outcome=deferred connect=1 code=0 enh=4.4.1 class=connection ip=2001:db8::2 text=connect to mx2.example[2001:db8::2]:25: Connection refused
