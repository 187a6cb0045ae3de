# The queue is full: 452 at MAIL, and again welcome.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 *
C: EHLO client.example
S* 8 250*
pressure on
C: MAIL FROM:<a@example.org>
S: 452 4.3.1 *
pressure off
C: MAIL FROM:<a@example.org>
S: 250 *
