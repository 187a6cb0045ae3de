/*
 * The body of a request: the events at the front of an endpoint's ring.
 */
#ifndef WEBHOOKD_PAYLOAD_H
#define WEBHOOKD_PAYLOAD_H

#include <stddef.h>

#include "attr.h"
#include "buf.h"
#include "event_json.h"
#include "hook.h"
#include "journal_feed.h"

struct payload {
	struct buf body;
	struct buf fields[4]; /* of the header, each ends with NUL */
	size_t n_fields;
	const char *type;
	size_t items;  /* of the ring that are in it, or can never be */
	size_t events; /* in it */
	size_t lost;   /* whose journal file was removed */
	uint64_t first_us, last_us; /* payload_dead: times of its events */
};

void payload_fini(struct payload *p);

/*
 * Takes events while they are not more than the endpoint's batch_max and
 * webhook_batch_size. JOURNAL_FEED_WAIT: the first one's file is not here yet.
 * JOURNAL_FEED_OK with events 0: those items are to be dropped.
 */
enum journal_feed_status payload_build(
    const struct hook *h, struct payload *out) MUST_CHECK;

/* The same for one event that is in no journal. */
void payload_single(
    const struct hook *h, const struct event_view *v, struct payload *out);

/*
 * Signs what was built, as of now. 0 or -EIO.
 */
int payload_sign(
    const struct hook *h, struct payload *p, uint64_t now_s) MUST_CHECK;

/* Counts the dead letters, which have no body: up to webhook_batch_limit items
 * from before a time; stops at the first younger event. */
enum journal_feed_status payload_dead(
    const struct hook *h, uint64_t before_us, struct payload *out) MUST_CHECK;

#endif
