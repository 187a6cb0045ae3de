#include "tail.h"

#include "clock.h"
#include "event_id.h"
#include "hook.h"
#include "journal_scan.h"
#include "log.h"
#include "sender.h"
#include "service.h"

/* Records looked at in one turn of the loop. */
#define SLICE 4000

static struct tail {
	struct journal_scan scan;
	struct loop_timer *more;
	bool is_started;
} tail;

static void
give(struct hook *h, const struct journal_hit *hit)
{
	const struct ring_item item = { hit->lsn, hit->from };

	if (h->ring.n == 0) {
		h->ripe_mono_us = clock_mono_us() + conf()->webhook_batch_time;
	}
	if (!ring_push(&h->ring, item)) {
		/* It lags from here on. */
		h->place = (struct journal_place){ hit->lsn - 1, hit->from };
		h->is_live = false;
	}
	sender_kick(h);
}

static bool
dispatch(void *arg, const struct journal_hit *hit)
{
	struct event_common c;

	(void)arg;
	if (!event_peek(hit->type, hit->rec, &c)) {
		return true;
	}
	for (struct hook *h = hooks_of_account(c.account); h != NULL;
	     h = h->next_of_account) {
		if (h->is_live && hit->lsn > h->place.after &&
		    hook_wants(h, hit->type, &c)) {
			give(h, hit);
		}
	}
	return true;
}

static void
run(void *arg)
{
	(void)arg;
	switch (journal_scan_run(&tail.scan, SLICE, dispatch, NULL)) {
	case JOURNAL_SCAN_MORE:
		loop_timer_arm(tail.more, 0);
		break;
	case JOURNAL_SCAN_GAP:
		log_warn("the journal was removed faster than it was read");
		loop_timer_arm(tail.more, 0);
		break;
	case JOURNAL_SCAN_END:
	case JOURNAL_SCAN_WAIT:
	case JOURNAL_SCAN_STOPPED:
		break;
	}
}

void
tail_start(struct journal_place place)
{
	journal_scan_init(&tail.scan, place);
	tail.more = loop_timer_new(run, NULL);
	tail.is_started = true;
	tail_changed();
}

void
tail_stop(void)
{
	if (tail.is_started) {
		journal_scan_close(&tail.scan);
		loop_timer_free(&tail.more);
		tail = (struct tail){ .more = NULL };
	}
}

void
tail_changed(void)
{
	if (tail.is_started && !loop_timer_is_armed(tail.more)) {
		loop_timer_arm(tail.more, 0);
	}
}

struct journal_place
tail_place(void)
{
	return tail.is_started ? tail.scan.place : (struct journal_place){ 0 };
}
