#include "reading.h"

#include <errno.h>

#include "clock.h"
#include "event_id.h"
#include "journal.h"
#include "journal_feed.h"
#include "progress.h"
#include "sender.h"
#include "service.h"
#include "tail.h"
#include "told.h"

/* Records looked at in one turn of the loop for one endpoint. */
#define SLICE 4000

/* ---- where events begin ------------------------------------------------- */

void
reading_begin(struct hook *h)
{
	if (progress_load(h)) {
		h->state = HOOK_READY;
		return;
	}
	if (progress_is_damaged()) {
		uint64_t lifetime = conf()->webhook_retry_lifetime;
		uint64_t now = clock_wall_us();

		if (now > lifetime && h->begin_us < now - lifetime) {
			h->begin_us = now - lifetime;
		}
	}
	h->state = HOOK_NEW;
}

static void
begin_at(struct hook *h, uint32_t number)
{
	uint64_t lsn = journal_lsn(number, 0);

	hook_rewind(h, (struct journal_place){ lsn, lsn });
	h->state = HOOK_READY;
	progress_changed();
}

void
reading_locate(struct hook *h)
{
	uint64_t time_us = 0;

	if (journal_feed_durable() == 0) {
		return;
	}
	if (h->begin_file == 0) {
		h->begin_file = journal_lsn_number(journal_feed_durable());
	}
	for (;;) {
		int r = journal_scan_file_time(h->begin_file, &time_us);

		if (r == -EAGAIN) {
			return;
		}
		if (r == -ENOENT) {
			begin_at(h, journal_feed_oldest());
			return;
		}
		if ((r == 1 && time_us < h->begin_us) ||
		    h->begin_file <= journal_feed_oldest() ||
		    h->begin_file <= 1) {
			begin_at(h, h->begin_file);
			return;
		}
		h->begin_file--;
	}
}

/* ---- going back --------------------------------------------------------- */

static bool
is_busy(const struct hook *h)
{
	return h->state == HOOK_LOOKUP || h->state == HOOK_POSTING;
}

/* What waits is changed: no waiting for the time of the next attempt. */
static void
turn(struct hook *h, bool must_locate)
{
	h->is_burying = false;
	h->must_locate = is_busy(h) && must_locate;
	if (!is_busy(h)) {
		loop_timer_stop(h->timer);
		h->state = must_locate ? HOOK_NEW : HOOK_READY;
	}
	progress_changed();
	sender_kick(h);
}

void
reading_replay_time(struct hook *h, uint64_t time_us)
{
	hook_rewind(h, (struct journal_place){ 0 });
	h->asked_us = clock_wall_us();
	h->begin_us = time_us;
	h->begin_file = 0;
	turn(h, true);
}

void
reading_replay_lsn(struct hook *h, uint64_t lsn)
{
	hook_rewind(h, (struct journal_place){ lsn - 1, 0 });
	h->asked_us = clock_wall_us();
	h->begin_us = 0;
	turn(h, false);
}

/* ---- dead letters ------------------------------------------------------- */

/* What is in the ring is sent first; the rest is read where it is wanted. */
static void
leave_tail(struct hook *h)
{
	struct journal_place tail = tail_place();

	if (h->is_live && tail.after > h->place.after) {
		h->place = tail;
	}
	h->is_live = false;
}

uint64_t
reading_redo(struct hook *h)
{
	uint64_t events = 0;

	for (size_t i = 0; i < h->dead.n; i++) {
		struct dead_range *r = &h->dead.v[i];

		if (r->asked_us == 0) {
			r->asked_us = clock_wall_us();
			h->asked_us = r->asked_us;
			events += r->events;
		}
	}
	if (events != 0) {
		leave_tail(h);
		turn(h, h->state == HOOK_NEW || h->must_locate);
	}
	return events;
}

static void
redo_begin(struct hook *h)
{
	struct dead_range r;

	if (h->redo_until != 0 || h->ring.n != 0 ||
	    dead_next(&h->dead) == NULL) {
		return;
	}
	r = h->dead.v[0];
	h->resume = h->place;
	hook_rewind(h, (struct journal_place){ r.first - 1, r.from });
	h->redo_until = r.last;
}

/* Goes on with the usual events. */
static void
redo_end(struct hook *h)
{
	hook_rewind(h, h->resume);
	progress_changed();
}

void
reading_redo_taken(struct hook *h, size_t events)
{
	struct dead_range *r = h->dead.v;
	struct journal_place next = h->place;

	if (h->redo_until == 0) {
		return;
	}
	if (h->ring.n != 0) {
		next = ring_place(&h->ring);
	} else if (h->is_redo_read) {
		dead_remove(&h->dead, 0);
		redo_end(h);
		return;
	}
	r->first = next.after + 1;
	r->from = next.from;
	r->events -= events < r->events ? events : r->events;
}

void
reading_redo_stop(struct hook *h)
{
	for (size_t i = 0; i < h->dead.n; i++) {
		h->dead.v[i].asked_us = 0;
	}
	redo_end(h);
}

uint64_t
reading_forget_dead(struct hook *h)
{
	uint64_t events = dead_events(&h->dead);

	if (h->redo_until != 0) {
		redo_end(h);
	}
	dead_fini(&h->dead);
	progress_changed();
	return events;
}

/* ---- reading on --------------------------------------------------------- */

static bool
take(void *arg, const struct journal_hit *hit)
{
	struct hook *h = arg;
	struct event_common c;

	if (h->redo_until != 0 && hit->lsn > h->redo_until) {
		h->is_redo_read = true;
		return false;
	}
	if (!event_peek(hit->type, hit->rec, &c) ||
	    !hook_wants(h, hit->type, &c)) {
		return true;
	}
	return ring_push(&h->ring, (struct ring_item){ hit->lsn, hit->from });
}

static enum journal_scan_status
scan(struct hook *h)
{
	enum journal_scan_status status;
	struct journal_scan s;

	journal_scan_init(&s, h->place);
	status = journal_scan_run(&s, SLICE, take, h);
	h->place = s.place;
	journal_scan_close(&s);
	return status;
}

/* False: nothing more is to be read of the dead letters. */
static bool
redo_goes_on(struct hook *h)
{
	if (h->place.after >= h->redo_until) {
		h->is_redo_read = true;
	}
	if (h->is_redo_read && h->ring.n == 0) {
		reading_redo_taken(h, 0);
		return true; /* now the usual events are read */
	}
	return !h->is_redo_read;
}

bool
reading_on(struct hook *h)
{
	uint64_t before;
	enum journal_scan_status status;

	redo_begin(h);
	if (h->redo_until != 0 && !redo_goes_on(h)) {
		return true;
	}
	before = h->place.after;
	status = scan(h);
	switch (status) {
	case JOURNAL_SCAN_END:
		/* The last record there is may be the last dead letter. */
		h->is_redo_read = h->redo_until != 0;
		h->is_live = h->redo_until == 0 && dead_next(&h->dead) == NULL;
		return h->is_live || h->ring.n != 0;
	case JOURNAL_SCAN_STOPPED:
		return h->ring.n != 0;
	case JOURNAL_SCAN_WAIT:
		return true;
	case JOURNAL_SCAN_GAP:
		told_gap(h, before, h->place.after);
		break;
	case JOURNAL_SCAN_MORE:
		break;
	}
	return false;
}
