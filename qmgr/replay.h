/*
 * One record of the journal after another into the core.
 */
#ifndef QMGR_REPLAY_H
#define QMGR_REPLAY_H

#include <stdint.h>

#include "plog.h"

struct qmgr;

void replay_init(struct qmgr *q);
void replay_record(struct qmgr *q, const struct plog_record *rec, uint64_t lsn);
/* What a crash parted is kept for intake (recover_orphan). */
void replay_end(struct qmgr *q);
/* The message is about to end: what the shell has of it goes. */
void replay_forget(struct qmgr *q, uint32_t msg);
void replay_fini(struct qmgr *q);

#endif
