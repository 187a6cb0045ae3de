# smtpd_stress_timeout is for strangers.
conf smtpd_connection_limit = 1
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
pass 299
quiet
pass 1
S: 421 4.4.2 *
closed
