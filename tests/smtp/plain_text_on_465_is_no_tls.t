# S12: what is no TLS on 465 is not answered as SMTP.
conf cert
role submissions
C: EHLO client.example
closed
