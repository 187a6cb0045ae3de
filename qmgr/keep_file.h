/*
 * The files in keep/: work of the disk's thread, which knows nothing of the
 * queue.
 */
#ifndef QMGR_KEEP_FILE_H
#define QMGR_KEEP_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"

/* How long an account's (subaccount 0) or a subaccount's messages are kept. */
struct keep_rule {
	uint32_t account;
	uint32_t subaccount;
	uint32_t keep_s; /* from acceptance; 0: not */
};

struct keep_segment_job {
	uint64_t segid;
	uint64_t now_s;
	size_t n;
	struct keep_rule rules[]; /* by account, then subaccount */
};

/*
 * Copies the records and contents that the rules keep into files of keep/, and
 * syncs them. Returns 0; -errno, and it may be done again. A segment that is
 * not there has nothing to keep.
 */
int keep_segment_work(void *job) MUST_CHECK;

int keep_rule_compare(const void *a, const void *b); /* for qsort */

struct keep_big_job {
	uint64_t number;
	uint64_t until_s;
};

/* Renames big/NUMBER.msg. 0 (also when it is not there), or -errno. */
int keep_big_work(void *job) MUST_CHECK;

struct keep_sweep_job {
	uint64_t now_s;
	uint64_t limit; /* bytes on disk */
};

/*
 * Removes files that are over, and those that would be next while all are
 * larger than the limit. Returns how many it removed only for the limit, or
 * -errno.
 */
int keep_sweep_work(void *job) MUST_CHECK;

#endif
