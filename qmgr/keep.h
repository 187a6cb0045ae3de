/*
 * Messages that accounts keep for audits behind their delivery: copied when
 * their segment is removed, and removed in their turn. packetboat-spool(5) has
 * the files.
 */
#ifndef QMGR_KEEP_H
#define QMGR_KEEP_H

#include <stdint.h>

#include "core_out.h"
#include "disk.h"

struct qmgr;

/* Removes what is over now, and each minute from then on. */
void keep_run(struct qmgr *q);
void keep_fini(struct qmgr *q);

/*
 * Copies what accounts keep of a segment that is not needed any more. done
 * (of q and segid) comes later, with 0 when it may be removed.
 */
void keep_segment(struct qmgr *q, uint64_t segid, disk_done_fn *done);

/* Until when the content of a message is kept, seconds since 1970; 0: not. */
uint64_t keep_until_s(const struct qmgr *q, const struct core_out *o);

/* The file of a large message becomes one that is kept. */
void keep_big(struct qmgr *q, uint64_t number, uint64_t until_s);

#endif
