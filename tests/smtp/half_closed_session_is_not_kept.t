# Nothing to say, and nothing more to hear.
S: 220 *
C: EHLO client.example
S* 8 250*
half
closed
