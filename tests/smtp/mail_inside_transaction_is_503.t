# RFC 5321 4.1.4: a second MAIL is 503 and leaves the first one open.
conf smtpd_timeout = 5m
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
S: 220 mx.test ESMTP *
C: EHLO client.example
S: 250-mx.test
S* 5 250-*
S: 250-SMTPUTF8
S: 250 CHUNKING
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: MAIL FROM:<b@example.org>
S: 503 5.5.1 *
C: RCPT TO:<c@example.net>
S: 250 2.1.5 *
pass 300
S: 421 4.4.2 *
closed
stored 0
