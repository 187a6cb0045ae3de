/*
 * The events that wait for one endpoint, as places in the journal. It is
 * short: what does not fit stays in the journal, to be read later.
 */
#ifndef WEBHOOKD_RING_H
#define WEBHOOKD_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "journal_scan.h"

#define RING_MAX 4096

struct ring_item {
	uint64_t lsn;
	uint64_t from; /* lsn of its batch's begin */
};

struct ring {
	struct ring_item *items;
	size_t head, n, cap;
};

void ring_fini(struct ring *r); /* empty again */

/* False when RING_MAX items are there. */
bool ring_push(struct ring *r, struct ring_item item) MUST_CHECK;
const struct ring_item *ring_at(const struct ring *r, size_t i); /* i < n */
void ring_drop(struct ring *r, size_t n); /* the first n <= r->n */

/* The place before the first item; r is not empty. */
struct journal_place ring_place(const struct ring *r);

#endif
