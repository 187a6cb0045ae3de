# S12: nothing below TLS 1.2.
conf cert
role submissions
tls fails 1.1
