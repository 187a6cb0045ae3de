# S37: what EHLO takes.
conf mynetworks = 192.0.2.0/24
conf mynetworks_account = relay
conf smtpd_hard_error_limit = 100
S: 220 *
C: EHLO
S: 501 5.5.4 *
C: EHLO a b
S: 501 5.5.4 *
C: EHLO a%0d%0ab
S: 501 5.5.4 *
C: EHLO xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
S: 501 5.5.4 *
C: EHLO \xc3\xa4.example
S: 501 5.5.4 *
C: EHLO [192.0.2.1]
S: 250-mx.test
S* 7 250*
C: EHLO 127.0.0.1
S: 250-mx.test
S* 7 250*
C: EHLO my_pc
S: 250-mx.test
S* 7 250*
C: EHLO <script>
S: 501 5.5.4 *
C: HELO
S: 501 5.5.4 *
