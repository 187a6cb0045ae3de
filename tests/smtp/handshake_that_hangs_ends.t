# S12: half a handshake, then silence.
conf cert
role submissions
quiet
pass 60
closed
