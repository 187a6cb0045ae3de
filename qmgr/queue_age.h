/*
 * How long the oldest message of each account has been queued: found by a
 * walk over the queue in slices, every alert_queue_interval, and told to
 * accountd, which judges it.
 */
#ifndef QMGR_QUEUE_AGE_H
#define QMGR_QUEUE_AGE_H

struct qmgr;

void queue_age_init(struct qmgr *q);
void queue_age_fini(struct qmgr *q);

#endif
