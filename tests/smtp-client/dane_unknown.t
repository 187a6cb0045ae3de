# RFC 7672 2.1.2: a host about whose records nothing can be learned is left out.
conf smtp_tls_level = dane
host mx1.example 10 192.0.2.1 unknown
host mx2.example 20 192.0.2.2 unknown
job id=1
conns 0
result 0 outcome=deferred class=tls enh=4.7.5 policy=dane host=mx2.example connect=1
