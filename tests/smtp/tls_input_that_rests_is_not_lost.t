# Commands sent while the log is slow are read when it is done, however many.
conf cert
conf smtpd_junk_command_limit = 100000
log late
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
C: AUTH PLAIN AGEAYg==
S: 235 *
C: MAIL FROM:<a@example.org>
S: 250 *
C: RCPT TO:<b@example.net>
S: 250 *
C: DATA
S: 354 *
C> From: a@example.org\r\n.\r\n
quiet
C* 12000 NOOP  \r\n
C* 700 NOOP  \r\n
C* 701 NOOP  \r\n
quiet
done
S: 250 2.0.0 Thanks! *
S* 13401 250 2.0.0 Ok
