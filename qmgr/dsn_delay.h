/*
 * Warnings to senders of messages that wait for long: once for each message,
 * delay_warning_time after it was accepted or was to be sent.
 */
#ifndef QMGR_DSN_DELAY_H
#define QMGR_DSN_DELAY_H

struct qmgr;
struct dsn_delay;

/* Begins to look at all messages, again and again, a part at a time. */
void dsn_delay_init(struct qmgr *q);
void dsn_delay_fini(struct qmgr *q);

#endif
