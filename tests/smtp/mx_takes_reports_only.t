# S48: no relay, no AUTH; accountd knows our addresses.
role mx
accountd kind 1
S: 220 *
C: EHLO remote.example
S* 7 250*
C: AUTH PLAIN AGEAYg==
S: 503 5.5.1 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<nobody@mx.test>
S: 550 5.1.1 No such return path
C: DATA
S: 554 5.5.1 *
C: RCPT TO:<bounces+abc@mx.test>
S: 250 2.1.5 *
C: RCPT TO:<bounces+def@mx.test>
S: 452 4.5.3 *
C: DATA
S: 354 *
C> Subject: failed\r\nno field\r\n\r\nx\r\n.\r\n
S: 250 2.0.0 *
count tx 0
field inbound 1
field orig_rcpt 3
field account 0
field nrcpt 1
has Received: from remote.example
is Subject: failed\r\nno field\r\n\r\nx\r\n
