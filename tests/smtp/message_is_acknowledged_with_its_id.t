# 2.1: 250 names the message, and comes after the log has it.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
log late
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
C: Date: Thu, 1 Jan 2026 00:00:00 +0000
C: Message-ID: <1@example.org>
C: Subject: =?utf-8?Q?h=C3=A4?= you
C: 
C: text
C: ..stuffed
C: .
quiet
done
S: 250 2.0.0 Thanks! Queued as: *-7*-*
stored 1
field sender a@example.org
field nrcpt 1
field account 7
field account_name acme
field message_id <1@example.org>
field header_from a@example.org
field subject hä you
field submit_proto ESMTP
field submit_client_ip 192.0.2.1
field submit_helo client.example
field flags 0
field big_file 0
field return_domain b.example
has Received: from client.example (unknown [192.0.2.1])\r\n\tby mx.test (Packetboat) with ESMTP id 
has \r\n\tfor <b@example.net>; Thu, 01 Jan 2026 00:00:00 +0000\r\n
is From: a@example.org\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nSubject: =?utf-8?Q?h=C3=A4?= you\r\n\r\ntext\r\n..stuffed\r\n
count durable 1
C: QUIT
S: 221 2.0.0 *
closed
