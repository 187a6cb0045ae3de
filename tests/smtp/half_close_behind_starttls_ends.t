# There will be no handshake.
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C> STARTTLS\r\n
half
S: 220 *
closed
