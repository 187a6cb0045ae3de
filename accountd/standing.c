#include "standing.h"

#include <errno.h>
#include <string.h>

#include "accountd.h"
#include "alerts.h"
#include "clock.h"
#include "herald.h"
#include "log.h"
#include "loop.h"
#include "service.h"

/* Time alone moves scores at midnight, and ends alerts of an hour. */
#define SWEEP_US (60 * US_PER_S)
#define RATE_DAYS 2

static struct {
	struct reputation_rules rules;
	struct loop_timer *sweep;
	uint32_t hour; /* of the last sweep */
} standing;

const struct reputation_rules *
standing_rules(void)
{
	return &standing.rules;
}

static const struct tally *
tally_of(uint32_t id)
{
	static const struct tally none;
	const struct tallied *x = tallies_find(accountd.tallies, id);

	return x != NULL ? &x->t : &none;
}

int64_t
standing_score(uint32_t id)
{
	return reputation_score(
	    tally_of(id), &standing.rules, clock_wall_us(), NULL, NULL);
}

uint32_t
standing_quota(const struct account *a, bool *is_by_hand)
{
	bool by_hand = a->r.is_quota_set || a->r.quota != 0;

	if (is_by_hand != NULL) {
		*is_by_hand = by_hand;
	}
	return by_hand
	    ? a->r.quota
	    : reputation_quota(&standing.rules, standing_score(a->r.id));
}

/* ---- alerts --------------------------------------------------------------
 */

static void
facts_of(
    const struct tallied *x, const struct account *a, struct alert_facts *out)
{
	uint64_t now = clock_wall_us();
	const struct tally *t = &x->t;

	*out = (struct alert_facts){
		.delivered =
		    tally_recent(t, TALLY_ENTRY_DELIVERY, RATE_DAYS, now),
		.bounces = tally_recent(t, TALLY_ENTRY_BOUNCE, RATE_DAYS, now),
		.complaints =
		    tally_recent(t, TALLY_ENTRY_COMPLAINT, RATE_DAYS, now),
		.score_milli = standing_score(x->id),
		.sent = tally_get(t, TALLY_SENT, TALLY_HOUR, now),
		.quota = standing_quota(a, NULL),
		.sent_long = tally_hour_sent(t, now, true),
		.usual_milli = t->usual_milli,
		.usual_hours = t->usual_hours,
		.is_queue_known = x->is_queue_known,
	};
	if (x->queued_since_us != 0 && x->queued_since_us < now) {
		out->queue_s = (now - x->queued_since_us) / US_PER_S;
	}
}

/* What others must hear of goes out with what is written of the tally. */
static void
add_alert(const struct account *a, enum alert rule, bool is_over,
    const struct alert_rules *rules, const struct alert_facts *f)
{
	struct buf text = { 0 };
	struct herald_alert alert = { .account = a,
		.name = str_of(alert_name(rule)),
		.is_over = is_over };

	alert_print(rule, rules, f, &text);
	alert.text = buf_str(&text);
	herald_add(&alert, false);
	buf_fini(&text);
}

/* Whether the tally has changed by it. */
static bool
judge(struct tallied *x)
{
	const struct account *a = model_account(accountd.model, x->id);
	uint32_t before = x->t.alerts_on;
	struct alert_rules rules;
	struct alert_facts f;

	if (a == NULL) {
		return false;
	}
	herald_rules(a, &rules);
	facts_of(x, a, &f);
	x->t.alerts_on = alerts_judge(&rules, &f, before);
	for (unsigned i = 0; i < ALERTS_JUDGED; i++) {
		if (((x->t.alerts_on ^ before) >> i & 1) != 0) {
			add_alert(a, (enum alert)i, (before >> i & 1) != 0,
			    &rules, &f);
		}
	}
	return x->t.alerts_on != before;
}

void
standing_judge_changed(void)
{
	for (struct tallied *x = tallies_changed(accountd.tallies); x != NULL;
	     x = x->next_changed) {
		(void)judge(x);
	}
}

/* ---- quotas --------------------------------------------------------------
 */

void
standing_tell_quota(struct tallied *x, void *arg)
{
	const struct account *a = model_account(accountd.model, x->id);
	bool by_hand = false;
	uint32_t quota = a != NULL ? standing_quota(a, &by_hand) : 0;

	(void)arg;
	if (a != NULL && !by_hand && x->quota != quota) {
		log_info("account %s: quota=%u, reputation=%lld", a->full_name,
		    quota, (long long)(standing_score(x->id) / 1000));
		x->quota = quota;
		push_quota(a);
	}
}

/* ---- what only time changes ----------------------------------------------
 */

static void
write_changed(void)
{
	struct store_txn *t = NULL;
	int r = store_begin(accountd.store, &t);

	if (r == 0) {
		r = tallies_write(accountd.tallies, t);
	}
	if (r == 0) {
		r = notices_write(accountd.notices, t);
	}
	if (r == 0) {
		r = store_commit(&t);
	} else {
		store_abort(&t);
	}
	if (r == 0) {
		tallies_written(accountd.tallies, standing_tell_quota, NULL);
		herald_committed();
	} else if (r != -ENOSPC) { /* else the next slice writes them */
		log_error("alerts are not stored: %s", strerror(-r));
	}
}

void
standing_judge(uint32_t id)
{
	struct tallied *x = tallies_find(accountd.tallies, id);

	if (x != NULL && judge(x)) {
		(void)tallies_change(accountd.tallies, id);
		write_changed();
	}
}

void
standing_on_queue_age(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_queue_age *m = msg;
	uint32_t of = m->subaccount != 0 ? m->subaccount : m->account;
	struct tallied *x = tallies_find(accountd.tallies, of);

	(void)p;
	(void)id;
	if (model_account(accountd.model, of) == NULL) {
		return;
	}
	if (x == NULL) {
		x = tallies_change(accountd.tallies, of);
	}
	x->is_queue_known = true;
	x->queued_since_us = m->since_us;
	standing_judge(of);
}

static void
sweep(void *arg)
{
	uint32_t hour = tally_number(TALLY_HOUR, clock_wall_us());
	struct tallied *x;
	size_t at = 0;

	(void)arg;
	loop_timer_arm(standing.sweep, SWEEP_US);
	/* A queue grows older although nobody says so: qmgr may be what is
	 * stuck. */
	while ((x = tallies_next(accountd.tallies, &at)) != NULL) {
		if ((x->queued_since_us != 0 || hour != standing.hour) &&
		    judge(x)) {
			(void)tallies_change(accountd.tallies, x->id);
		}
		if (hour != standing.hour) {
			standing_tell_quota(x, NULL);
		}
	}
	standing.hour = hour;
	if (tallies_changed(accountd.tallies) != NULL) {
		write_changed();
	}
}

void
standing_start(void)
{
	const struct conf *c = conf();
	struct tallied *x;
	size_t at = 0;

	standing.rules = (struct reputation_rules){
		.days = (unsigned)(c->reputation_time / (86400 * US_PER_S)),
		.start = (unsigned)c->reputation_start,
		.start_volume = (unsigned)c->reputation_start_volume,
		.value = {
		    [TALLY_ENTRY_DELIVERY] = 100,
		    [TALLY_ENTRY_BOUNCE] =
			-(int32_t)c->reputation_bounce_weight,
		    [TALLY_ENTRY_COMPLAINT] =
			-(int32_t)c->reputation_complaint_weight,
		    [TALLY_ENTRY_UNSUBSCRIBE] =
			-(int32_t)c->reputation_unsubscribe_weight,
		},
	};
	if (reputation_steps_parse(c->reputation_quotas, &standing.rules) < 0) {
		fatal("reputation_quotas = %s: not a list of score:quota with "
		      "rising scores",
		    c->reputation_quotas);
	}
	while ((x = tallies_next(accountd.tallies, &at)) != NULL) {
		const struct account *a = model_account(accountd.model, x->id);

		x->quota = a != NULL ? standing_quota(a, NULL) : 0;
	}
	standing.hour = tally_number(TALLY_HOUR, clock_wall_us());
	standing.sweep = loop_timer_new(sweep, NULL);
	loop_timer_arm(standing.sweep, SWEEP_US);
}

void
standing_stop(void)
{
	loop_timer_free(&standing.sweep);
}
