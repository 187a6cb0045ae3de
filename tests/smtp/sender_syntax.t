# S25, S29, S30, S31: what MAIL takes.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
conf smtpd_hard_error_limit = 100
S: 220 *
C: EHLO client.example
S* 8 250*
C: MAIL FROM:<>
S: 250 2.1.0 *
C: RSET
S: 250 *
C: MAIL FROM: <a@example.org>
S: 250 2.1.0 *
C: RSET
S: 250 *
C: MAIL FROM:<a@example.org> extra
S: 555 5.5.4 *
C: MAIL FROM:a@example.org
S: 501 5.1.7 *
C: MAIL FROM:<"a b"@d.example>
S: 250 2.1.0 *
C: RSET
S: 250 *
C: MAIL FROM:<"a\\"b"@d.example>
S: 250 2.1.0 *
C: RSET
S: 250 *
C: MAIL FROM:<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@d.example>
S: 501 5.1.7 *
C: MAIL FROM:<x@>
S: 501 5.1.7 *
C: MAIL FROM:<x>
S: 501 5.1.7 *
C: MAIL FROM:<;touch /tmp/x;@>
S: 501 5.1.7 *
C: MAIL FROM:<\xc3\xa4@example.org>
S: 553 5.6.7 *
C: MAIL FROM:<\xc3\xa4@example.org> SMTPUTF8
S: 250 2.1.0 *
C: RSET
S: 250 *
C: MAIL FROM:<\xc3@example.org> SMTPUTF8
S: 501 5.1.7 *
C: MAIL FROM:<\xc0\xaf@example.org> SMTPUTF8
S: 501 5.1.7 *
C: MAIL FROM:<\xed\xa0\x80@e.org> SMTPUTF8
S: 501 5.1.7 *
C: MAIL FROM:<a@example.org> SIZE=26214401
S: 552 5.3.4 *
C: MAIL FROM:<a@example.org> SIZE=9999999999999999999999999999999999999999
S: 501 5.5.4 *
C: MAIL FROM:<a@example.org> SIZE=x
S: 501 5.5.4 *
C: MAIL FROM:<a@example.org> BODY=8BITMIME
S: 250 2.1.0 *
C: RSET
S: 250 *
C: MAIL FROM:<a@example.org> BODY=BINARYMIME
S: 501 5.5.4 *
C: MAIL FROM:<a@example.org> FOO=1
S: 555 5.5.4 *
C: MAIL FROM:<a@example.org> SIZE=1 SIZE=1
S: 501 5.5.4 *
C: MAIL FROM:<a@example.org> RET=FULL RET=HDRS
S: 501 5.5.4 *
C: MAIL FROM:<a@example.org> ENVID=a+00
S: 501 5.5.4 *
C: MAIL FROM:<a@example.org> ENVID=a+zz
S: 501 5.5.4 *
C: MAIL FROM:<a@example.org> RET=HDRS ENVID=abc
S: 250 2.1.0 *
C: RSET
S: 250 *
C: MAIL TO:<a@example.org>
S: 501 5.5.4 *
