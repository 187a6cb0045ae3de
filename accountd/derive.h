/*
 * What accountd makes of an event of the journal: counters, entries of the
 * ledger, suppressed addresses, what warming source addresses send. All of it
 * goes into one transaction with the place in the journal, so that an event has
 * its effects exactly once.
 */
#ifndef ACCOUNTD_DERIVE_H
#define ACCOUNTD_DERIVE_H

#include <stdint.h>

#include "attr.h"
#include "event.h"
#include "model.h"
#include "notices.h"
#include "str.h"
#include "suppress_times.h"
#include "tallies.h"
#include "warm_counts.h"

struct derive {
	struct store *store;
	const struct model *model;
	struct tallies *tallies;
	struct warm_counts *warm;
	struct notices *notices;
	struct suppress_times times;
	/* An alert that another process wrote; a NULL: the system's. May be
	 * NULL itself. */
	void (*others_alert)(
	    const struct account *a, const struct event_alert *e);
};

/* One record of the journal. 0, or as store_put; what cannot be read, or is
 * about no account of ours, has no effect. */
int derive_event(struct derive *d, struct store_txn *t, unsigned type,
    struct str rec) MUST_CHECK;

#endif
