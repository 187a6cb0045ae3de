# D27: SERVFAIL is not failure.
dns 5 SERVFAIL
job
result 0 outcome=deferred enh=4.4.3 class=dns connect=1 text=SERVFAIL
