# 2.8: without case, folded, and never sent on.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
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
C: x-mc-tags: a, b b,,
C>  \tc\r\n
C: X-CloudMTA-Tags: d
C: X-MC-Metadata: {"order": 7, "shop": "x"}
C: X-Packetboat-Metadata: not json
C: X-CloudMTA-Class: digest
C: X-MC-Important: yes
C: X-MC-IpPool: warm
C: X-MC-SendAt: 2026-01-02 03:04:05
C: X-MC-InlineCSS: true
C: Return-Path: <x@example.org>
C: X-Other: stays
C: .
S: 250 2.0.0 *
field tags a,b b,c,d
field metadata {"order":7,"shop":"x"}
field not_before_us 1767323045000000
field expires_us 1767582245000000
lacks X-MC
lacks x-mc
lacks X-Cloud
lacks Return-Path
is From: a@example.org\r\nX-Other: stays\r\n
