#include "derive.h"

#include <errno.h>

#include "alerts.h"
#include "event.h"
#include "event_id.h"
#include "reply_class.h"
#include "suppressions.h"

/* The class of a delivery that a test key's message pretends. */
#define CLASS_TEST "test"

/* ---- counting ------------------------------------------------------------
 */

/* Calls for the account, and for the subaccount if there is one. */
static void
count(struct derive *d, const struct event_common *c, enum tally_counter what,
    uint64_t n)
{
	tally_add(
	    &tallies_change(d->tallies, c->account)->t, what, c->time_us, n);
	if (c->subaccount != 0) {
		tally_add(&tallies_change(d->tallies, c->subaccount)->t, what,
		    c->time_us, n);
	}
}

static void
book(struct derive *d, const struct event_common *c, enum tally_entry e)
{
	tally_book(&tallies_change(d->tallies, c->account)->t, e, c->time_us);
	if (c->subaccount != 0) {
		tally_book(&tallies_change(d->tallies, c->subaccount)->t, e,
		    c->time_us);
	}
}

/* ---- suppressing ---------------------------------------------------------
 */

/*
 * Only facts about a message that we have sent count: its return path's MAC
 * was verified before such an event was written. Others name no message.
 */
static int
suppress(struct derive *d, struct store_txn *t, const struct event_common *c,
    struct str address, enum suppression_reason reason, struct str detail)
{
	const struct suppression_cause cause = {
		.reason = reason,
		.detail = { detail.p, detail.len > 512 ? 512 : detail.len },
		.time_us = c->time_us,
	};

	if (uuid_is_null(&c->msgid) || c->accept_lsn == 0 || address.len == 0 ||
	    address.len > SUPPRESSION_ADDRESS_MAX) {
		return 0;
	}
	return suppressions_event(
	    d->store, t, c->account, c->subaccount, address, &cause, &d->times);
}

/* ---- kinds of events -----------------------------------------------------
 */

static int
on_accepted(struct derive *d, const struct event_common *c,
    const struct event_accepted *e)
{
	if (e->inbound == 0 &&
	    (e->flags & (MESSAGE_TEST | MESSAGE_OWN_DSN)) == 0) {
		count(d, c, TALLY_SENT, e->nrcpt);
	}
	return 0;
}

static int
on_delivery(struct derive *d, const struct event_common *c,
    const struct event_delivery *e)
{
	if (!str_is(e->class, CLASS_TEST)) {
		count(d, c, TALLY_DELIVERED, 1);
		book(d, c, TALLY_ENTRY_DELIVERY);
	}
	return 0;
}

static int
on_bounce(struct derive *d, struct store_txn *t, const struct event_common *c,
    const struct event_bounce *e)
{
	enum reason reason = REASON_OTHER;

	count(d, c, TALLY_BOUNCES, 1);
	book(d, c, TALLY_ENTRY_BOUNCE);
	if (!e->is_hard || reason_parse(e->class, &reason) < 0 ||
	    !reason_desc(reason)->is_suppressed) {
		return 0;
	}
	return suppress(
	    d, t, c, e->rcpt_to, SUPPRESSION_HARD_BOUNCE, e->smtp_text);
}

static int
on_complaint(struct derive *d, struct store_txn *t,
    const struct event_common *c, const struct event_complaint *e)
{
	count(d, c, TALLY_COMPLAINTS, 1);
	book(d, c, TALLY_ENTRY_COMPLAINT);
	return suppress(
	    d, t, c, e->rcpt_to, SUPPRESSION_SPAM, e->feedback_type);
}

static int
on_unsubscribe(struct derive *d, struct store_txn *t,
    const struct event_common *c, const struct event_unsubscribe *e)
{
	count(d, c, TALLY_UNSUBSCRIBES, 1);
	book(d, c, TALLY_ENTRY_UNSUBSCRIBE);
	return suppress(d, t, c, e->rcpt_to, SUPPRESSION_UNSUB, STR(""));
}

/* The journal has an alert of ours: it need not be written again. */
static int
on_alert(
    struct derive *d, const struct event_common *c, const struct event_alert *e)
{
	enum alert a = alert_parse(e->name);
	uint32_t bit = 1u << a;
	struct tallied *x;

	if (a == ALERTS) {
		return 0;
	}
	x = tallies_change(
	    d->tallies, c->subaccount != 0 ? c->subaccount : c->account);
	x->t.alerts_told =
	    e->is_over ? x->t.alerts_told & ~bit : x->t.alerts_told | bit;
	x->alerts_sent &= ~bit;
	return 0;
}

static int
on_event(struct derive *d, struct store_txn *t, const struct event_common *c,
    unsigned type, const void *e)
{
	switch ((enum event_type)type) {
	case EVENT_accepted:
		return on_accepted(d, c, e);
	case EVENT_delivery:
		return on_delivery(d, c, e);
	case EVENT_bounce:
		return on_bounce(d, t, c, e);
	case EVENT_complaint:
		return on_complaint(d, t, c, e);
	case EVENT_unsubscribe:
		return on_unsubscribe(d, t, c, e);
	case EVENT_alert:
		return on_alert(d, c, e);
	case EVENT_soft_bounce:
		count(d, c, TALLY_SOFT_BOUNCES, 1);
		return 0;
	case EVENT_deferral:
		count(d, c, TALLY_DEFERRALS, 1);
		return 0;
	case EVENT_blocked:
		count(d, c, TALLY_BLOCKED, 1);
		return 0;
	case EVENT_rate_limit:
		count(d, c, TALLY_RATE_LIMITED, 1);
		return 0;
	default:
		return 0;
	}
}

/* Accounts may be gone since; numbers are not given out twice. */
static bool
is_ours(const struct derive *d, const struct event_common *c)
{
	return model_account(d->model, c->account) != NULL &&
	    (c->subaccount == 0 ||
		model_account(d->model, c->subaccount) != NULL);
}

int
derive_event(
    struct derive *d, struct store_txn *t, unsigned type, struct str rec)
{
	_Alignas(16) uint8_t space[EVENT_STRUCT_MAX];
	const struct event_desc *desc = event_desc(type);
	struct event_common c;

	if (desc == NULL || desc->scope != EVENT_SCOPE_WEBHOOK ||
	    !event_peek(type, rec, &c) || !is_ours(d, &c) ||
	    event_decode(type, rec.p, rec.len, space) < 0) {
		return 0;
	}
	return on_event(d, t, &c, type, space);
}
