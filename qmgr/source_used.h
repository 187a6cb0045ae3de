/*
 * What source addresses in their warm-up have used of the day, over restarts.
 *
 * The core counts what is tried; what has had its result is written every few
 * seconds, and each attempt that the journal has behind that is counted again
 * when it is replayed. So nothing that was tried is forgotten.
 */
#ifndef QMGR_SOURCE_USED_H
#define QMGR_SOURCE_USED_H

#include "event.h"
#include "ipc.h"
#include "str.h"

struct qmgr;

/* Writes what has changed. */
void source_used_write(struct qmgr *q);
/* All that there is, each through put: for a checkpoint. */
void source_used_each(struct qmgr *q,
    void (*put)(struct qmgr *q, enum event_type type, const void *event));

/* Recovery: such an event; any event, which may be an attempt from such an
 * address. */
void source_used_restore(struct qmgr *q, const struct event_source_used *e);
void source_used_replay(struct qmgr *q, unsigned type, struct str rec);

/* A result of a job of the run before: what it was tried from is known now. */
void source_used_late(struct qmgr *q, const struct ipc_result *r);

#endif
