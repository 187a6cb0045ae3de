/*
 * Reading checkpoints.
 */
#ifndef QMGR_RECOVER_H
#define QMGR_RECOVER_H

#include <stdint.h>

#include "attr.h"

struct qmgr;

/* The number that ckp/CURRENT names. 0, -ENOENT or another -errno. */
int checkpoint_current(uint32_t *number) MUST_CHECK;

/*
 * Loads it into an empty core. Returns 0 with the LSN to replay from; or
 * -errno, and then the core is empty again.
 */
int checkpoint_load(
    struct qmgr *q, uint32_t number, uint64_t *start_lsn) MUST_CHECK;

#endif
