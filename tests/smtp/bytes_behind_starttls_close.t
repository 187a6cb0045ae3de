# S8: what came in clear behind STARTTLS is never a command.
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C> STARTTLS\r\nMAIL FROM:<a@example.org>\r\n
S: 554 5.5.0 *
closed
stored 0
