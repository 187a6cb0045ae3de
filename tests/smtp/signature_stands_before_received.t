# What is signed is what is sent: our fields too, the controls not.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
accountd sign example.org
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C: From: a@example.org
C: Bcc: secret@example.net
C: X-MC-Tags: one,two
C: 
C: x
C: .
S: 250 2.0.0 *
field sign_domain example.org
field tags one,two
has DKIM-Signature: v=1; d=signed\r\nReceived: from 
lacks secret
lacks X-MC
is @mx.test>\r\nFrom: a@example.org\r\n\r\nx\r\n
count sign 1
count sign-fd 0
