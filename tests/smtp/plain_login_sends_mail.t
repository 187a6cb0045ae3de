# 2.1: AUTH PLAIN with an initial response; the message names the login.
conf cert
S: 220 *
C: EHLO client.example
S* 9 250*
C: STARTTLS
S: 220 *
tls
C: EHLO client.example
S* 10 250*
C: AUTH PLAIN AGFueXRoaW5nAGtleQ==
S: 235 2.7.0 *
count auth 1
C: AUTH PLAIN AGFueXRoaW5nAGtleQ==
S: 503 5.5.1 *
C: MAIL FROM:<a@example.org>
S: 250 2.1.0 *
C: RCPT TO:<b@example.net>
S: 250 2.1.5 *
C: DATA
S: 354 *
C> From: a@example.org\r\n\r\nx\r\n.\r\n
S: 250 2.0.0 *
field key 9
field submit_auth_user anything
field submit_proto ESMTPSA
field submit_tls TLSv1.*
has (using TLSv1.
