# S44.
conf smtpd_client_connection_count_limit = 1
S: 220 *
hangup
connect
S: 220 *
C: QUIT
S: 221 *
closed
