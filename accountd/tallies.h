/*
 * The tallies of all accounts and subaccounts, in memory and in the store.
 * What changes is written by the transaction that the caller gives.
 */
#ifndef ACCOUNTD_TALLIES_H
#define ACCOUNTD_TALLIES_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "store.h"
#include "tally.h"

struct tallied {
	struct tally t;
	uint32_t id; /* of the account or subaccount */
	/* What others were told, by this process. */
	uint32_t quota;
	/* When its oldest queued message was accepted, as qmgr says. */
	uint64_t queued_since_us; /* 0: nothing is queued */
	bool is_queue_known;
	bool is_changed; /* since it was written */
	struct tallied *next_changed;
};

struct tallies;

/* Loads all that the store has. 0 or -errno. */
int tallies_load(struct store *s, struct tallies **out) MUST_CHECK;
void tallies_free(struct tallies **t);

/* NULL: nothing was counted yet. */
struct tallied *tallies_find(const struct tallies *t, uint32_t id);
/* Made when it is not there; it will be written. */
struct tallied *tallies_change(struct tallies *t, uint32_t id);
/* All, in no order; *at begins with 0. */
struct tallied *tallies_next(const struct tallies *t, size_t *at);

/* Those that will be written, linked by next_changed. */
struct tallied *tallies_changed(const struct tallies *t);
/* Writes them. 0, or as store_put: then they are still to be written. */
int tallies_write(struct tallies *t, struct store_txn *txn) MUST_CHECK;
/* After the commit: calls fn for each that was written. */
void tallies_written(
    struct tallies *t, void (*fn)(struct tallied *x, void *arg), void *arg);

/* Removes one for good. 0 or as store_put. */
int tallies_delete(struct tallies *t, uint32_t id) MUST_CHECK;

#endif
