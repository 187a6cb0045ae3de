# S24.
role mx
connect EHLO remote.example\r\n
S: 554 5.5.0 *
closed
