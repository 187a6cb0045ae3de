#include "derive.h"

#include <errno.h>

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

/* ---- source addresses that are warmed up ---------------------------------
 */

/* What an attempt says, from any of the events that have one. */
struct attempt {
	struct str ip;
	struct str provider;
	struct str class;
	uint16_t code;
};

#define ATTEMPT(e)                                                             \
	&(const struct attempt)                                                \
	{                                                                      \
		.ip = (e)->source_ip,                                          \
		.provider =                                                    \
		    (e)->provider.len > 0 ? (e)->provider : (e)->mx_site,      \
		.class = (e)->class, .code = (e)->smtp_code                    \
	}

/* The counts of the attempt's address, if that is being warmed up. */
static struct warmup_count *
warm_count(
    struct derive *d, const struct event_common *c, const struct attempt *a)
{
	const struct source *s =
	    a->ip.len > 0 ? model_source(d->model, a->ip) : NULL;

	if (s == NULL || s->r.plan.len == 0 || s->r.warm_us != 0) {
		return NULL;
	}
	return warm_counts_change(
	    d->warm, a->ip, a->provider, tally_number(TALLY_DAY, c->time_us));
}

/* Refused or put off for the address's or the mail's sake, and not the
 * recipient's. */
static bool
is_distrust(const struct attempt *a)
{
	enum reason reason;

	if (a->code < 400 || reason_parse(a->class, &reason) < 0) {
		return false;
	}
	return reason == REASON_RATE || reason == REASON_SPAM_IP ||
	    reason == REASON_POLICY || reason == REASON_OTHER ||
	    reason == REASON_CONTENT || reason == REASON_SPAM_CONTENT;
}

static void
warm_failed(
    struct derive *d, const struct event_common *c, const struct attempt *a)
{
	struct warmup_count *n = warm_count(d, c, a);

	if (n != NULL) {
		n->tried++;
		n->deferred += is_distrust(a);
	}
}

static int
warm_delivered(struct derive *d, struct store_txn *t,
    const struct event_common *c, const struct attempt *a)
{
	struct warmup_count *n = warm_count(d, c, a);

	if (n == NULL) {
		return 0;
	}
	n->tried++;
	n->delivered++;
	return warm_counts_sent(
	    d->warm, t, &c->msgid, c->rcpt, a->ip, a->provider);
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
on_delivery(struct derive *d, struct store_txn *t, const struct event_common *c,
    const struct event_delivery *e)
{
	if (str_is(e->class, CLASS_TEST)) {
		return 0;
	}
	count(d, c, TALLY_DELIVERED, 1);
	book(d, c, TALLY_ENTRY_DELIVERY);
	return warm_delivered(d, t, c, ATTEMPT(e));
}

static int
on_bounce(struct derive *d, struct store_txn *t, const struct event_common *c,
    const struct event_bounce *e)
{
	enum reason reason = REASON_OTHER;

	warm_failed(d, c, ATTEMPT(e));
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
	int r = warm_counts_complaint(d->warm, t, &c->msgid, c->rcpt,
	    tally_number(TALLY_DAY, c->time_us));

	count(d, c, TALLY_COMPLAINTS, 1);
	book(d, c, TALLY_ENTRY_COMPLAINT);
	if (r < 0) {
		return r;
	}
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

/* One of ours is in the journal now; one of others has to go to mail and
 * command as well. */
static int
on_alert(
    struct derive *d, const struct event_common *c, const struct event_alert *e)
{
	if (e->alert_id != 0) {
		notices_done(d->notices, e->alert_id, NOTICE_JOURNAL);
	} else if (d->others_alert != NULL) {
		d->others_alert(
		    model_account(d->model,
			c->subaccount != 0 ? c->subaccount : c->account),
		    e);
	}
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
		return on_delivery(d, t, c, e);
	case EVENT_bounce:
		return on_bounce(d, t, c, e);
	case EVENT_complaint:
		return on_complaint(d, t, c, e);
	case EVENT_unsubscribe:
		return on_unsubscribe(d, t, c, e);
	case EVENT_alert:
		return on_alert(d, c, e);
	case EVENT_soft_bounce:
		warm_failed(d, c, ATTEMPT((const struct event_soft_bounce *)e));
		count(d, c, TALLY_SOFT_BOUNCES, 1);
		return 0;
	case EVENT_deferral:
		warm_failed(d, c, ATTEMPT((const struct event_deferral *)e));
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
is_ours(const struct derive *d, unsigned type, const struct event_common *c)
{
	if (c->account == 0) {
		return type == EVENT_alert; /* about the system */
	}
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
	    !event_peek(type, rec, &c) || !is_ours(d, type, &c) ||
	    event_decode(type, rec.p, rec.len, space) < 0) {
		return 0;
	}
	return on_event(d, t, &c, type, space);
}
