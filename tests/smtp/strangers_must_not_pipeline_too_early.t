# S23: EHLO and DATA end a group.
role mx
accountd kind 1
S: 220 *
C> EHLO remote.example\r\nMAIL FROM:<>\r\n
S: 554 5.5.0 *
closed
connect
S: 220 *
C: EHLO remote.example
S* 7 250*
C> MAIL FROM:<>\r\nRCPT TO:<bounces+a@mx.test>\r\nDATA\r\nSubject: x\r\n.\r\n
S: 250 *
S: 250 *
S: 554 5.5.0 *
closed
stored 0
