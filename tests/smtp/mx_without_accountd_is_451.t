# No guess about an address.
conf smtpd_service_timeout = 10
role mx
S: 220 *
C: EHLO remote.example
S* 7 250*
C: MAIL FROM:<>
S: 250 *
accountd silent
C: RCPT TO:<bounces+abc@mx.test>
quiet
pass 10
S: 451 4.3.0 *
accountd down
C: RCPT TO:<bounces+abc@mx.test>
quiet
pass 10
S: 451 4.3.0 *
