/*
 * Open connections of deliver processes: what each has said of its own, and
 * what it was allowed to open and asked to close since. The core gets the
 * changes.
 */
#ifndef QMGR_CONNS_H
#define QMGR_CONNS_H

#include "core_out.h"
#include "ipc.h"

struct qmgr;

/* The channel to a process is a new one: what was said before is void when it
 * has said what it has now. */
void conns_begin(struct qmgr *q, unsigned deliver);
/* It has. */
void conns_settled(struct qmgr *q, unsigned deliver);
/* There is no channel to it: its connections are as they were, and no use. */
void conns_down(struct qmgr *q, unsigned deliver);
/* They are gone with it. */
void conns_lost(struct qmgr *q, unsigned deliver);

/* deliver's word. */
void conns_told(
    struct qmgr *q, unsigned deliver, const struct ipc_path_conns *m);
/* A job with may_open is sent to it. */
void conns_allowed(struct qmgr *q, unsigned deliver, uint32_t path);
/* CORE_CLOSE: to the processes that have connections of the path. */
void conns_close(struct qmgr *q, const struct core_out *o);

#endif
