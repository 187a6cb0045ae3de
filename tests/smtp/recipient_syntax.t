# S26, S27, S28, S34: what RCPT takes.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
conf smtpd_hard_error_limit = 100
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<a@example.org>
S: 250 *
C: RCPT TO:<@a.example,@b.example:c@d.example>
S: 250 2.1.5 *
C: RCPT TO:<a%b@us.example>
S: 250 2.1.5 *
C: RCPT TO:<"a@b"@us.example>
S: 250 2.1.5 *
C: RCPT TO:<a@[127.0.0.1]>
S: 550 5.7.1 *
C: RCPT TO:<a@[IPv6:::1]>
S: 550 5.7.1 *
C: RCPT TO:<a@[1.2.3]>
S: 501 5.1.3 *
C: RCPT TO:<a@[tag:x]>
S: 501 5.1.3 *
C: RCPT TO:<>
S: 501 5.1.3 *
C: RCPT TO:b@example.net
S: 501 5.1.3 *
C: RCPT TO:<b@example.net> NOTIFY=NEVER,FAILURE
S: 501 5.5.4 *
C: RCPT TO:<b@example.net> ORCPT=abc
S: 501 5.5.4 *
C: RCPT TO:<b@example.net> ORCPT=rfc822;b+00
S: 501 5.5.4 *
C: RCPT TO:<b@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@example.net
S: 250 2.1.5 *
C: RCPT TO:<Postmaster>
S: 250 2.1.5 *
C: RCPT TO:<a@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example>
S: 501 5.1.3 *
C: RCPT TO:<a@b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.example>
S: 553 5.1.3 *
C: RCPT TO:<\xc3\xa4@example.org>
S: 553 5.6.7 *
C: DATA
S: 354 *
C: From: a@example.org
C: .
S: 250 2.0.0 *
field nrcpt 5
field rcpts *c@d.example*a%b@us.example*"a@b"@us.example*b@example.net*rfc822;b@example.net*Postmaster@mx.test*
