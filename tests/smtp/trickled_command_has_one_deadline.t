# S43: a byte now and then does not keep a session open.
conf smtpd_timeout = 300s
S: 220 *
C> N
pass 200
C> O
quiet
pass 100
S: 421 4.4.2 *
closed
connect
S: 220 *
pass 200
C: NOOP
S: 250 *
pass 200
quiet
pass 100
S: 421 4.4.2 *
closed
