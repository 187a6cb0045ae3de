/*
 * Which sessions are at work on a message: the log waits for them, so that
 * their messages share one sync (param spool_sync_wait).
 */
#ifndef SMTPD_SOON_H
#define SMTPD_SOON_H

struct session;

/* The session was heard of: connection, input, an answer it waited for. */
void soon_touch(struct session *s);

/* Its message is in the log now, or it has gone: it is not waited for. */
void soon_leave(struct session *s);

/* For struct plog_config: how many sessions were heard of within
 * spool_sync_wait and have nothing in the log. */
unsigned soon_expected(void *arg);

#endif
