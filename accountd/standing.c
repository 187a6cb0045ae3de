#include "standing.h"

#include <string.h>

#include "accountd.h"
#include "alerts.h"
#include "clock.h"
#include "event.h"
#include "log.h"
#include "loop.h"
#include "service.h"

/* Time alone moves scores at midnight, and ends alerts of an hour. */
#define SWEEP_US (60 * US_PER_S)
#define RATE_DAYS 2

static struct {
	struct reputation_rules rules;
	struct alert_rules alerts;
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
	};
}

/* Whether the tally has changed by it. */
static bool
judge(struct tallied *x)
{
	const struct account *a = model_account(accountd.model, x->id);
	uint32_t before = x->t.alerts_on;
	struct alert_facts f;

	if (a == NULL) {
		return false;
	}
	facts_of(x, a, &f);
	x->t.alerts_on = alerts_judge(&standing.alerts, &f, before);
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

static void
send_alert(struct peer *qmgr, const struct account *a, const struct tallied *x,
    enum alert rule)
{
	struct event_alert e = { .time_us = clock_wall_us(),
		.name = str_of(alert_name(rule)),
		.is_over = (x->t.alerts_on >> rule & 1) == 0 };
	struct ipc_event_write m = { .kind = EVENT_alert };
	struct buf text = { 0 };
	struct buf rec = { 0 };
	struct alert_facts f;

	facts_of(x, a, &f);
	alert_print(rule, &standing.alerts, &f, &text);
	e.account = a->r.parent != 0 ? a->r.parent : a->r.id;
	e.subaccount = a->r.parent != 0 ? a->r.id : 0;
	e.text = buf_str(&text);
	if (event_encode(&rec, EVENT_alert, &e) == 0) {
		m.record = buf_str(&rec);
		(void)peer_send(qmgr, IPC_event_write, 0, &m);
		log_warn("account %s: alert %s%s: %.*s", a->full_name,
		    alert_name(rule), e.is_over ? " is over" : "",
		    STR_ARG(e.text));
	}
	buf_fini(&text);
	buf_fini(&rec);
}

void
standing_tell_alerts(void)
{
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);
	struct tallied *x;
	size_t at = 0;

	while (
	    qmgr != NULL && (x = tallies_next(accountd.tallies, &at)) != NULL) {
		const struct account *a = model_account(accountd.model, x->id);
		uint32_t missing =
		    (x->t.alerts_on ^ x->t.alerts_told) & ~x->alerts_sent;

		for (unsigned i = 0; a != NULL && i < ALERTS; i++) {
			if ((missing >> i & 1) != 0) {
				send_alert(qmgr, a, x, (enum alert)i);
				x->alerts_sent |= 1u << i;
			}
		}
	}
}

void
standing_qmgr_up(void)
{
	struct tallied *x;
	size_t at = 0;

	while ((x = tallies_next(accountd.tallies, &at)) != NULL) {
		x->alerts_sent = 0;
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
		r = store_commit(&t);
	} else {
		store_abort(&t);
	}
	if (r == 0) {
		tallies_written(accountd.tallies, standing_tell_quota, NULL);
		standing_tell_alerts();
	} else {
		log_error("alerts are not stored: %s", strerror(-r));
	}
}

static void
sweep(void *arg)
{
	uint32_t hour = tally_number(TALLY_HOUR, clock_wall_us());
	struct tallied *x;
	size_t at = 0;

	(void)arg;
	loop_timer_arm(standing.sweep, SWEEP_US);
	if (hour == standing.hour) {
		return;
	}
	standing.hour = hour;
	while ((x = tallies_next(accountd.tallies, &at)) != NULL) {
		if (judge(x)) {
			(void)tallies_change(accountd.tallies, x->id);
		}
		standing_tell_quota(x, NULL);
	}
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
	standing.alerts = (struct alert_rules){
		.volume = c->alert_volume,
		.bounce_rate = c->alert_bounce_rate,
		.complaint_rate = c->alert_complaint_rate,
		.reputation = c->alert_reputation,
		.quota = c->alert_quota,
	};
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
