# The same when only the reply to EHLO shows it.
host mx.example 10 192.0.2.1
job
conn 0 192.0.2.1
S: 220 mail ESMTP
C: EHLO client.example
S: 250 client.example greets itself
C: QUIT
result 0 outcome=failed class=routing text=mail for example.net loops back to myself
