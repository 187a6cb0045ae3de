/*
 * Alerts on their way: each is a record of the store from when it is raised
 * until it is in the journal, mailed, and told to the command, so that a
 * death in between loses none and the store says what is left to do. Who
 * carries them is herald.h; this is what there is to carry.
 */
#ifndef ACCOUNTD_NOTICES_H
#define ACCOUNTD_NOTICES_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "schema.h"
#include "store.h"

/* Where an alert goes; bits of done. */
#define NOTICE_JOURNAL 1u /* and from there to the webhooks */
#define NOTICE_COMMAND 2u
#define NOTICE_MAIL 4u
#define NOTICE_ALL 7u

struct notice {
	struct buf stored; /* what the strings of r point into */
	struct schema_notice r;
	/* Of this process: what it was given to and did not hear of yet, and
	 * when to try again (monotonic; command, mail). */
	uint32_t under_way;
	uint64_t retry_us[2];
	bool is_changed; /* since it was written */
	bool is_durable; /* a death of ours does not forget it */
};

struct notices;

/*
 * Loads what was left. limit: with so many the oldest is given up; lifetime:
 * older ones are (microseconds). 0 or -errno.
 */
int notices_load(struct store *s, uint64_t limit, uint64_t lifetime_us,
    struct notices **out) MUST_CHECK;
void notices_free(struct notices **n);

/* Takes in a copy; id is chosen, the time must be set. It is in the store
 * after notices_write and the commit. */
void notices_add(struct notices *n, const struct schema_notice *r);

/* Notes that it went there. One that went everywhere is forgotten by the next
 * notices_write. */
void notices_done(struct notices *n, uint64_t id, uint32_t where);

/* What the others now see in the journal: a new qmgr gets the rest anew. */
void notices_forget_journal(struct notices *n);

/* NULL: there is none. Valid until the next notices_write. */
struct notice *notices_find(const struct notices *n, uint64_t id);
/* All, in no order; *at begins with 0. */
struct notice *notices_next(const struct notices *n, size_t *at);
size_t notices_count(const struct notices *n);

bool notices_are_changed(const struct notices *n);
/* Gives up what is too old; now_us: wall clock. */
void notices_expire(struct notices *n, uint64_t now_us);
/* Writes what has changed. 0, or as store_put: then it is still to be
 * written. */
int notices_write(struct notices *n, struct store_txn *t) MUST_CHECK;
/* After the commit. Returns whether anything was written: then a sync and
 * notices_durable are due. */
bool notices_written(struct notices *n);
/* All that was written before the sync may be given away. */
void notices_durable(struct notices *n);

#endif
