#include "herald.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "accountd.h"
#include "clock.h"
#include "event.h"
#include "log.h"
#include "loop.h"
#include "notices.h"
#include "service.h"

#define TEXT_MAX 1024
/* The answer of a mail is a sync away; of a command, its run. */
#define MAIL_TIMEOUT_US (60 * US_PER_S)
#define COMMAND_SLACK_US (60 * US_PER_S)

static struct {
	struct loop_timer *timer;
	bool is_over; /* answers come too late */
	bool is_journal_read;
} herald;

/* ---- rules ----------------------------------------------------------------
 */

static uint64_t
parameter(enum alert a)
{
	const struct conf *c = conf();

	switch (a) {
	case ALERT_BOUNCE_RATE:
		return c->alert_bounce_rate;
	case ALERT_COMPLAINT_RATE:
		return c->alert_complaint_rate;
	case ALERT_REPUTATION:
		return c->alert_reputation;
	case ALERT_QUOTA:
		return c->alert_quota;
	case ALERT_RISE:
		return c->alert_rise;
	case ALERT_QUEUE_AGE:
		return c->alert_queue_age / US_PER_S;
	case ALERT_DOMAIN:
		return c->alert_domain;
	case ALERT_SOURCE:
		return c->alert_source;
	case ALERT_NETWORK:
		return c->alert_network;
	case ALERT_SECURITY:
		return c->alert_security;
	case ALERTS:
		break;
	}
	return 0;
}

static const struct account *
parent_of(const struct account *a)
{
	return a->r.parent != 0 ? model_account(accountd.model, a->r.parent)
				: NULL;
}

void
herald_rules(const struct account *a, struct alert_rules *out)
{
	const struct account *parent = parent_of(a);

	out->volume = conf()->alert_volume;
	for (unsigned i = 0; i < ALERTS; i++) {
		enum alert rule = (enum alert)i;

		if (!alert_own_limit(&a->r, rule, &out->limit[i]) &&
		    (parent == NULL ||
			!alert_own_limit(&parent->r, rule, &out->limit[i]))) {
			out->limit[i] = parameter(rule);
		}
	}
}

struct str
herald_contact(const struct account *a)
{
	const struct account *parent = a != NULL ? parent_of(a) : NULL;

	if (a != NULL && a->r.contact.len > 0) {
		return a->r.contact;
	}
	return parent != NULL && parent->r.contact.len > 0
	    ? parent->r.contact
	    : str_of(conf()->alert_contact);
}

/* ---- raising --------------------------------------------------------------
 */

void
herald_add(const struct herald_alert *a, bool is_in_journal)
{
	struct str contact =
	    a->contact.len > 0 ? a->contact : herald_contact(a->account);
	char text[TEXT_MAX];
	struct schema_notice r = {
		.name = a->name,
		.text = str_of(str_safe(text, sizeof(text), a->text)),
		.is_over = a->is_over,
		.time_us = clock_wall_us(),
		.contact = contact,
		.done = (is_in_journal || a->is_copy ? NOTICE_JOURNAL : 0) |
		    (conf()->alert_command[0] == '\0' || a->is_copy
			    ? NOTICE_COMMAND
			    : 0) |
		    (contact.len == 0 ? NOTICE_MAIL : 0),
	};

	if (a->account != NULL) {
		r.account = a->account->r.parent != 0 ? a->account->r.parent
						      : a->account->r.id;
		r.subaccount = a->account->r.parent != 0 ? a->account->r.id : 0;
		r.account_name = str_of(a->account->full_name);
	}
	if (r.done == NOTICE_ALL) {
		return;
	}
	if (!is_in_journal && !a->is_copy) {
		log_warn("account %s: alert %.*s%s: %.*s",
		    a->account != NULL ? a->account->full_name : "-",
		    STR_ARG(r.name), r.is_over ? " is over" : "",
		    STR_ARG(r.text));
	}
	notices_add(accountd.notices, &r);
}

void
herald_write(void)
{
	struct store_txn *t = NULL;
	int r;

	if (!notices_are_changed(accountd.notices)) {
		return;
	}
	r = store_begin(accountd.store, &t);
	if (r == 0) {
		r = notices_write(accountd.notices, t);
	}
	if (r == 0) {
		r = store_commit(&t);
	} else {
		store_abort(&t);
	}
	if (r == 0) {
		herald_committed();
	} else if (r != -ENOSPC) { /* the store has said that */
		log_error("alerts are not stored: %s", strerror(-r));
	}
}

void
herald_raise(const struct herald_alert *a)
{
	herald_add(a, false);
	herald_write();
}

void
herald_tell(enum alert rule, const struct account *a, const char *name,
    bool is_over, const char *fmt, ...)
{
	struct alert_rules rules;
	char text[TEXT_MAX];
	struct herald_alert alert = {
		.account = a, .name = str_of(name), .is_over = is_over
	};
	va_list ap;

	if (a != NULL) {
		herald_rules(a, &rules);
	}
	if ((a != NULL ? rules.limit[rule] : parameter(rule)) == 0) {
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	alert.text = str_of(text);
	herald_raise(&alert);
}

/* ---- carrying -------------------------------------------------------------
 */

static void
to_journal(struct notice *x, struct peer *qmgr)
{
	const struct event_alert e = { .time_us = x->r.time_us,
		.account = x->r.account,
		.subaccount = x->r.subaccount,
		.name = x->r.name,
		.text = x->r.text,
		.is_over = x->r.is_over,
		.alert_id = x->r.id };
	struct ipc_event_write m = { .kind = EVENT_alert };
	struct buf rec = { 0 };

	if (event_encode(&rec, EVENT_alert, &e) == 0) {
		m.record = buf_str(&rec);
		if (peer_send(qmgr, IPC_event_write, 0, &m) == 0) {
			x->under_way |= NOTICE_JOURNAL;
		}
	}
	buf_fini(&rec);
}

/* What an answer is about: the notice may be gone when it comes. */
struct question {
	uint64_t id;
	uint32_t where;
};

static void
settle(struct question *q, bool is_done)
{
	struct notice *x =
	    herald.is_over ? NULL : notices_find(accountd.notices, q->id);

	if (x != NULL && is_done) {
		notices_done(accountd.notices, q->id, q->where);
		herald_write();
	} else if (x != NULL) {
		x->under_way &= ~q->where;
		x->retry_us[q->where == NOTICE_MAIL] =
		    clock_mono_us() + conf()->alert_retry_time;
	}
	free(q);
}

static void
on_mailed(void *arg, enum ipc_type type, const void *m)
{
	const struct ipc_alert_mail_rep *rep = m;

	settle(arg, type == IPC_alert_mail_rep && rep->status == 0);
}

static void
on_run(void *arg, enum ipc_type type, const void *m)
{
	const struct ipc_alert_run_rep *rep = m;
	struct question *q = arg;

	settle(q,
	    type == IPC_alert_run_rep && rep->alert == q->id &&
		rep->is_wanted_again == 0);
}

static struct question *
question(const struct notice *x, uint32_t where)
{
	struct question *q = mem_alloc(sizeof(*q));

	*q = (struct question){ x->r.id, where };
	return q;
}

static void
to_mail(struct notice *x)
{
	const struct ipc_alert_mail_req m = { .name = x->r.name,
		.account = x->r.account_name,
		.contact = x->r.contact,
		.text = x->r.text,
		.is_over = x->r.is_over,
		.time_us = x->r.time_us };
	struct question *q = question(x, NOTICE_MAIL);

	if (peer_call(service_peer(ROLE_BOUNCER, 0), IPC_alert_mail_req, &m, -1,
		MAIL_TIMEOUT_US, on_mailed, q, NULL) == 0) {
		x->under_way |= NOTICE_MAIL;
	} else {
		free(q);
	}
}

static void
to_command(struct notice *x)
{
	const struct ipc_alert_run_req m = { .alert = x->r.id,
		.name = x->r.name,
		.account = x->r.account_name,
		.contact = x->r.contact,
		.text = x->r.text,
		.is_over = x->r.is_over,
		.time_us = x->r.time_us };
	struct question *q = question(x, NOTICE_COMMAND);

	if (peer_call(service_master(), IPC_alert_run_req, &m, -1,
		conf()->alert_command_timeout + COMMAND_SLACK_US, on_run, q,
		NULL) == 0) {
		x->under_way |= NOTICE_COMMAND;
	} else {
		free(q);
	}
}

static bool
is_due(const struct notice *x, uint32_t where)
{
	return ((x->r.done | x->under_way) & where) == 0 &&
	    x->retry_us[where == NOTICE_MAIL] <= clock_mono_us();
}

static void
run(void)
{
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);
	struct notice *x;
	size_t at = 0;

	while ((x = notices_next(accountd.notices, &at)) != NULL) {
		if (!x->is_durable || x->is_changed) {
			continue;
		}
		if (qmgr != NULL && herald.is_journal_read &&
		    ((x->r.done | x->under_way) & NOTICE_JOURNAL) == 0) {
			to_journal(x, qmgr);
		}
		if (is_due(x, NOTICE_COMMAND)) {
			to_command(x);
		}
		if (is_due(x, NOTICE_MAIL)) {
			to_mail(x);
		}
	}
	if (notices_count(accountd.notices) != 0 &&
	    !loop_timer_is_armed(herald.timer)) {
		loop_timer_arm(herald.timer, conf()->alert_retry_time);
	}
}

static void
on_synced(void *arg, int status)
{
	(void)arg;
	if (status == 0 && !herald.is_over) {
		notices_durable(accountd.notices);
		run();
	}
}

void
herald_committed(void)
{
	if (notices_written(accountd.notices)) {
		store_sync(accountd.store, on_synced, NULL);
	}
}

void
herald_qmgr_up(void)
{
	herald.is_journal_read = false;
	notices_forget_journal(accountd.notices);
}

void
herald_journal_is_read(void)
{
	if (!herald.is_journal_read) {
		herald.is_journal_read = true;
		run();
	}
}

/* ---- life -----------------------------------------------------------------
 */

static void
on_timer(void *arg)
{
	(void)arg;
	notices_expire(accountd.notices, clock_wall_us());
	herald_write();
	run();
}

void
herald_start(void)
{
	herald.is_over = false;
	herald.timer = loop_timer_new(on_timer, NULL);
	loop_timer_arm(herald.timer, 0);
}

void
herald_stop(void)
{
	herald.is_over = true;
	loop_timer_free(&herald.timer);
}
