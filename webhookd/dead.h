/*
 * Dead letters: events that an endpoint did not take in time. They stay in
 * the journal; an endpoint only remembers from where to where, so a million
 * of them cost as little as one. Pure data.
 */
#ifndef WEBHOOKD_DEAD_H
#define WEBHOOKD_DEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

/* All that the endpoint wants between two events, both included. */
struct dead_range {
	uint64_t first;	    /* lsn of the first event */
	uint64_t from;	    /* lsn of its batch's begin */
	uint64_t last;	    /* lsn of the last event */
	uint64_t events;    /* given up and not sent since */
	uint64_t first_us;  /* time of the first event */
	uint64_t last_us;   /* time of the last event */
	uint64_t buried_us; /* when the last one was given up */
	uint64_t asked_us;  /* since when they are to be sent again; 0: not */
};

struct dead_list {
	struct dead_range *v; /* the one being sent again is the first */
	size_t n;
};

void dead_fini(struct dead_list *d); /* empty again */
void dead_copy(struct dead_list *to, const struct dead_list *from);

/* Events of all ranges. */
uint64_t dead_events(const struct dead_list *d);

void dead_append(struct dead_list *d, const struct dead_range *r);

/*
 * Adds events just given up. They join the last range when the endpoint took
 * nothing since that one was made: failing_us says since when it fails, 0:
 * not known. Above limit ranges the oldest that is not asked for is let go;
 * returns the number of its events, else 0.
 */
uint64_t dead_add(struct dead_list *d, const struct dead_range *r,
    uint64_t failing_us, size_t limit);

/* Moves the first range that is asked for to the front. NULL: none is. */
struct dead_range *dead_next(struct dead_list *d);

void dead_remove(struct dead_list *d, size_t i); /* i < n */

#endif
