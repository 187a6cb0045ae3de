#include "sender.h"

#include <errno.h>
#include <stdio.h>

#include "clock.h"
#include "log.h"
#include "lookup.h"
#include "payload.h"
#include "progress.h"
#include "reading.h"
#include "retry.h"
#include "service.h"
#include "told.h"

/* When webhook_connection_limit is reached. */
#define BUSY_WAIT_US (50 * US_PER_MS)

static struct sender {
	struct retry_schedule schedule;
	bool is_started;
	void (*quiet)(void); /* draining */
	unsigned posting;
} sender;

static void ready(struct hook *h);

/* ---- turns -------------------------------------------------------------- */

static void
step(void *arg)
{
	struct hook *h = arg;

	if (!sender.is_started || sender.quiet != NULL) {
		return;
	}
	if (h->state == HOOK_NEW) {
		reading_locate(h);
	}
	if (h->state == HOOK_READY && !h->is_disabled && h->url_error == NULL) {
		ready(h);
	}
}

void
sender_kick(struct hook *h)
{
	loop_defer(&h->step, step, h);
}

static void
on_timer(void *arg)
{
	struct hook *h = arg;

	if (h->state == HOOK_RETRY) {
		h->state = HOOK_READY;
	}
	sender_kick(h);
}

/* Not in this turn of the loop: others come first. */
static void
later(struct hook *h, uint64_t us)
{
	loop_timer_arm(h->timer, us);
}

static void
kick_one(struct hook *h, void *arg)
{
	(void)arg;
	sender_kick(h);
}

void
sender_kick_all(void)
{
	hooks_each(kick_one, NULL);
}

static void
count_posting(int change)
{
	sender.posting = (unsigned)((int)sender.posting + change);
	if (sender.posting == 0 && sender.quiet != NULL) {
		sender.quiet();
	}
}

static void
on_delete(struct hook *h)
{
	if (h->post != NULL) {
		post_cancel(&h->post);
		count_posting(-1);
	}
	progress_changed();
}

void
sender_init(void)
{
	if (retry_schedule_parse(
		conf()->webhook_retry_schedule, &sender.schedule) < 0) {
		fatal("webhook_retry_schedule = %s: not a list of times",
		    conf()->webhook_retry_schedule);
	}
	hook_on_delete = on_delete;
}

void
sender_start(void)
{
	sender.is_started = true;
	sender_kick_all();
}

void
sender_stop(void)
{
	sender = (struct sender){ .quiet = NULL };
}

void
sender_drain(void (*quiet)(void))
{
	sender.quiet = quiet;
	if (sender.posting == 0) {
		quiet();
	}
}

void
sender_add(struct hook *h)
{
	h->timer = loop_timer_new(on_timer, h);
	reading_begin(h);
}

/* ---- dead letters ------------------------------------------------------- */

static void
wait_for_retry(struct hook *h)
{
	h->is_burying = false;
	h->state = HOOK_RETRY;
	later(h, h->retry_us);
}

static void
drop_batch(struct hook *h)
{
	ring_drop(
	    &h->ring, h->batch_items < h->ring.n ? h->batch_items : h->ring.n);
	reading_redo_taken(h, h->batch_events);
	h->batch_items = 0;
	progress_changed();
}

static void
remember(struct hook *h, const struct payload *p, uint64_t now)
{
	const struct dead_range r = { .first = ring_at(&h->ring, 0)->lsn,
		.from = ring_at(&h->ring, 0)->from,
		.last = ring_at(&h->ring, p->items - 1)->lsn,
		.events = p->events,
		.first_us = p->first_us,
		.last_us = p->last_us,
		.buried_us = now };
	uint64_t forgotten = dead_add(
	    &h->dead, &r, h->failing_us, conf()->webhook_dead_letter_limit);

	told_dead(h, p->events);
	if (forgotten != 0) {
		told_forgotten(h, forgotten);
	}
}

/*
 * Gives up what is too old at the front, then waits for the next attempt.
 * What was asked for again has its time from then on.
 */
static void
bury(struct hook *h)
{
	uint64_t lifetime = conf()->webhook_retry_lifetime;
	uint64_t now = clock_wall_us();
	struct payload p = { 0 };

	if (now < h->asked_us + lifetime) {
		wait_for_retry(h);
		return;
	}
	if (h->redo_until != 0) {
		reading_redo_stop(h);
		wait_for_retry(h);
		return;
	}
	if (payload_dead(h, now > lifetime ? now - lifetime : 0, &p) !=
		JOURNAL_FEED_OK ||
	    p.items == 0) {
		wait_for_retry(h);
		return;
	}
	if (p.lost != 0) {
		told_gap(h, ring_at(&h->ring, 0)->lsn,
		    ring_at(&h->ring, p.items - 1)->lsn);
	}
	if (p.events != 0) {
		remember(h, &p, now);
	}
	h->batch_items = p.items;
	drop_batch(h);
	sender_kick(h);
}

/* ---- answers ------------------------------------------------------------ */

static uint32_t
random_bits(void)
{
	struct uuid u = uuid_random();
	uint32_t v;

	__builtin_memcpy(&v, u.b, sizeof(v));
	return v;
}

/* How long until the next attempt: the endpoint's wish, else ours. */
static uint64_t
waiting_time(const struct hook *h, struct str retry_after)
{
	uint64_t limit = conf()->webhook_retry_after_limit;
	uint64_t seconds = 0;
	uint64_t us;

	if (retry_after.len != 0 &&
	    retry_after_parse(
		retry_after, clock_wall_us() / US_PER_S, &seconds) == 0) {
		us = seconds > limit / US_PER_S ? limit : seconds * US_PER_S;
		return us > US_PER_S ? us : US_PER_S;
	}
	return retry_wait(&sender.schedule, h->failures,
	    (unsigned)conf()->webhook_retry_jitter, random_bits());
}

/* The request is over; events may have been asked for again meanwhile. */
static void
settle(struct hook *h)
{
	h->state = h->must_locate ? HOOK_NEW : HOOK_READY;
	h->must_locate = false;
}

static bool
has_failed_too_long(const struct hook *h)
{
	uint64_t time = conf()->webhook_disable_time;

	return time != 0 && clock_wall_us() >= h->failing_us + time;
}

/* Its events stay in the journal, for when it is enabled again. */
static void
give_up(struct hook *h, const char *why)
{
	str_copy(h->disabled_for, sizeof(h->disabled_for), str_of(why));
	h->is_disabled = true;
	h->is_given_up = true;
	told_disabled(h);
	told_disabled_alert(h);
}

static void
fail(struct hook *h, const char *text, struct str retry_after)
{
	struct str cut = str_of(text);

	str_safe(h->last_error, sizeof(h->last_error), cut);
	h->failures++;
	h->failed++;
	if (h->failing_us == 0) {
		h->failing_us = clock_wall_us();
	}
	h->retry_us = waiting_time(h, retry_after);
	told_attempt(h, "deferred", h->last_error);
	progress_changed();
	settle(h);
	if (has_failed_too_long(h)) {
		char why[sizeof(h->disabled_for)];

		(void)snprintf(why, sizeof(why),
		    "nothing but failures for webhook_disable_time, the last: "
		    "%.150s",
		    h->last_error);
		give_up(h, why);
		return;
	}
	h->is_burying = true;
	sender_kick(h);
}

static void
succeed(struct hook *h, int status)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "HTTP %d", status);
	told_attempt(h, "sent", text);
	h->posts++;
	h->sent += h->batch_events;
	h->last_ok_us = clock_wall_us();
	h->failures = 0;
	h->failing_us = 0;
	h->batch_max *= 2;
	if (h->batch_max > conf()->webhook_batch_limit) {
		h->batch_max = conf()->webhook_batch_limit;
	}
	drop_batch(h);
	/* What is left came after the request had begun. */
	h->ripe_mono_us = h->started_us + conf()->webhook_batch_time;
	settle(h);
	sender_kick(h);
}

static void
be_gone(struct hook *h)
{
	str_copy(h->last_error, sizeof(h->last_error), STR("HTTP 410"));
	told_attempt(h, "bounced", "HTTP 410: the endpoint is disabled");
	h->failed++;
	settle(h);
	give_up(h, "the endpoint answered 410 Gone");
}

static void
on_result(void *arg, const struct post_result *r)
{
	struct hook *h = arg;
	char text[32];

	h->post = NULL;
	if (r->status >= 200 && r->status < 300) {
		succeed(h, r->status);
	} else if (r->status == 410) {
		be_gone(h);
	} else {
		(void)snprintf(text, sizeof(text), "HTTP %d", r->status);
		if (r->status == 413 && h->batch_events > 1) {
			h->batch_max = h->batch_events / 2;
		}
		fail(h, r->error != NULL ? r->error : text, r->retry_after);
	}
	count_posting(-1);
}

/* ---- requests ----------------------------------------------------------- */

static void
start_post(struct hook *h, struct payload *p)
{
	const char *fields[array_len(p->fields) + 1] = { NULL };
	const struct post_request r = { .url = h->url.text,
		.resolve = h->url.is_literal ? NULL : h->resolve,
		.turn = h->failures,
		.type = p->type,
		.body = &p->body,
		.fields = fields,
		.fn = on_result,
		.arg = h };

	for (size_t i = 0; i < p->n_fields; i++) {
		fields[i] = (const char *)p->fields[i].p;
	}
	h->batch_items = p->items;
	h->batch_events = p->events;
	h->started_us = clock_mono_us();
	h->state = HOOK_POSTING;
	h->post = post_start(&r);
	count_posting(1);
}

static void
build_and_post(struct hook *h)
{
	struct payload p = { 0 };

	h->state = HOOK_READY;
	if (h->ring.n == 0 || payload_build(h, &p) == JOURNAL_FEED_WAIT) {
		payload_fini(&p);
		return;
	}
	if (p.lost != 0) {
		told_gap(h, ring_at(&h->ring, 0)->lsn,
		    ring_at(&h->ring, p.items - 1)->lsn);
	}
	if (p.events == 0) {
		h->batch_items = p.items;
		drop_batch(h);
		sender_kick(h);
	} else if (payload_sign(h, &p, clock_wall_us() / US_PER_S) < 0) {
		fail(h, "the request could not be signed", (struct str){ 0 });
	} else {
		start_post(h, &p);
	}
	payload_fini(&p);
}

/* No request was made: it counts as one that failed. */
static void
fail_early(struct hook *h, const char *text)
{
	h->batch_events = 0;
	h->started_us = clock_mono_us();
	fail(h, text, (struct str){ 0 });
}

static void
on_lookup(uint32_t id, const char *error)
{
	struct hook *h = hooks_find(id);

	if (h == NULL || h->state != HOOK_LOOKUP) {
		return;
	}
	settle(h);
	if (sender.quiet != NULL) {
		return;
	}
	if (h->state == HOOK_NEW || h->is_disabled) {
		sender_kick(h);
		return;
	}
	if (error != NULL) {
		fail_early(h, error);
	} else {
		build_and_post(h);
	}
}

static void
send_batch(struct hook *h)
{
	int r;

	if (post_count() >= conf()->webhook_connection_limit) {
		later(h, BUSY_WAIT_US);
		return;
	}
	r = lookup(h, on_lookup);
	if (r == 1) {
		build_and_post(h);
	} else if (r == 0) {
		h->state = HOOK_LOOKUP;
	} else if (r == -EPERM) {
		fail_early(
		    h, "its address is not public (webhook_allow_networks)");
	} else {
		later(h, US_PER_S); /* resolvd is being started again */
	}
}

/* Whether to wait for more events to share the request. */
static bool
is_early(const struct hook *h)
{
	return h->is_live && h->failures == 0 && h->ring.n < h->batch_max &&
	    clock_mono_us() < h->ripe_mono_us;
}

static void
ready(struct hook *h)
{
	if (!h->is_live && h->ring.n < h->batch_max && !reading_on(h)) {
		later(h, 0);
		return;
	}
	if (h->is_burying) {
		bury(h);
		return;
	}
	if (h->ring.n == 0) {
		return;
	}
	if (is_early(h)) {
		later(h, h->ripe_mono_us - clock_mono_us());
		return;
	}
	send_batch(h);
}
