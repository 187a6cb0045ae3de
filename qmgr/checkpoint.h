/*
 * Checkpoints: the queue as it is, written a slice at a time while work goes
 * on. packetboat-spool(5) says why that is right.
 */
#ifndef QMGR_CHECKPOINT_H
#define QMGR_CHECKPOINT_H

#include <stdbool.h>

struct qmgr;

/* Begins to write them, every checkpoint_time if enough has changed. */
void checkpoint_init(struct qmgr *q);
void checkpoint_fini(struct qmgr *q);

/* Begins one now, unless one is being written or the journal has not been
 * synced yet. */
void checkpoint_begin(struct qmgr *q);
/* The same at a clean stop, if the next start would read long in the journal
 * without it. */
void checkpoint_at_stop(struct qmgr *q);
bool checkpoint_is_running(const struct qmgr *q);

#endif
