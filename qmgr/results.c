/*
 * What became of recipients: from deliver's results and the core's word to
 * facts in the journal. A result is acknowledged when its fact is durable.
 */
#include "results.h"

#include <errno.h>
#include <string.h>

#include "core_view.h"
#include "dsn_due.h"
#include "jobs.h"
#include "log.h"
#include "paths.h"
#include "qmgr.h"
#include "reply_class.h"
#include "source_used.h"
#include "sources.h"
#include "tls_learn.h"

/* The fields of attempt.def, from a result to an event. */
#define REC_U8(f) to->f = r->f;
#define REC_U16(f) to->f = r->f;
#define REC_U32(f) to->f = r->f;
#define REC_STR(f, max) to->f = r->f;
/* clang-format off */
static void
copy_delivery(struct event_delivery *to, const struct ipc_result *r)
{
#include "attempt.def"
	REC_STR(mta_sts, 255)
}

static void
copy_deferral(struct event_deferral *to, const struct ipc_result *r)
{
#include "attempt.def"
	REC_STR(mta_sts, 255)
}

static void
copy_bounce(struct event_bounce *to, const struct ipc_result *r)
{
#include "attempt.def"
	REC_STR(mta_sts, 255)
}

static void
copy_soft_bounce(struct event_soft_bounce *to, const struct ipc_result *r)
{
#include "attempt.def"
	REC_STR(mta_sts, 255)
}
/* clang-format on */
#include "rec_undef.h"

/* The members that EVENT_COMMON names, and the age. */
#define SUBJECT(s)                                                             \
	.time_us = (s)->now_us, .msgid = (s)->msgid,                           \
	.accept_lsn = (s)->accept_lsn, .account = (s)->account,                \
	.subaccount = (s)->subaccount, .rcpt = (s)->rcpt

struct subject
outcome_subject(const struct qmgr *q, const struct core_out *o)
{
	return (struct subject){
		.now_us = qmgr_now(q),
		.msg = o->msg,
		.msgid = o->id,
		.accept_lsn = o->accept_lsn,
		.account = o->account,
		.subaccount = o->subaccount,
		.rcpt = o->ordinal,
	};
}

uint64_t
outcome_age_ms(const struct subject *s)
{
	uint64_t now_ms = s->now_us / 1000;
	uint64_t from_ms = uuid_wall_ms(&s->msgid);

	return now_ms > from_ms ? now_ms - from_ms : 0;
}

void
outcome_delivered(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r)
{
	struct event_delivery e = { SUBJECT(s) };

	/* First, so that a replay finds the message still there. */
	dsn_delivered(q, s, r);
	e.age_ms = outcome_age_ms(s);
	copy_delivery(&e, r);
	qmgr_write(q, EVENT_delivery, &e, NULL, 0, 0);
	result_log(s, r, "sent");
}

void
outcome_deferred(struct qmgr *q, const struct subject *s,
    const struct ipc_result *r, const struct core_verdict *v)
{
	struct event_deferral e = { SUBJECT(s) };

	e.age_ms = outcome_age_ms(s);
	copy_deferral(&e, r);
	e.attempt = v->attempts;
	e.next_try_us = (uint64_t)v->due_s * US_PER_S;
	qmgr_write(q, EVENT_deferral, &e, NULL, 0, 0);
	notes_at(q->notes, s->msg)->reason =
	    notes_reason_number(q->notes, r->smtp_text);
	result_log(s, r, "deferred");
}

void
outcome_failed(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r)
{
	struct event_soft_bounce soft = { SUBJECT(s) };
	struct event_bounce hard = { SUBJECT(s) };

	/* First, so that a replay finds the message still there. */
	dsn_failed(q, s, r);
	if (r->is_hard) {
		hard.age_ms = outcome_age_ms(s);
		copy_bounce(&hard, r);
		qmgr_write(q, EVENT_bounce, &hard, NULL, 0, 0);
	} else {
		soft.age_ms = outcome_age_ms(s);
		copy_soft_bounce(&soft, r);
		qmgr_write(q, EVENT_soft_bounce, &soft, NULL, 0, 0);
	}
	result_log(s, r, "bounced");
}

static void
damaged(struct qmgr *q, const struct subject *s, const struct ipc_result *r)
{
	struct core_message m;
	struct seg *g;
	uint32_t n;
	struct event_spool_damaged e = { .text = r->smtp_text };
	char id[UUID_TEXT_SIZE];
	char text[256];

	if (core_message_get(q->core, s->msg, &m, &n) == 0) {
		e.segid = m.place.segid;
		e.off = m.place.rec_off;
		e.len = m.place.content_len;
		g = segs_find(q->segs, e.segid);
		if (g != NULL) {
			g->is_damaged = true; /* it stays for people to see */
		}
	}
	if (e.text.len > sizeof(text) - 1) {
		e.text.len = sizeof(text) - 1;
	}
	qmgr_write(q, EVENT_spool_damaged, &e, NULL, 0, 0);
	uuid_print(&s->msgid, id);
	log_error("%s: the stored message is damaged: %s", id,
	    str_safe(text, sizeof(text), e.text));
}

/* ---- results ------------------------------------------------------------ */

static struct core_result
for_core(const struct ipc_result *r, const struct paths_answer *a)
{
	struct core_result c = { .outcome = (enum outcome)r->outcome,
		.delay_s = a->requeue_s,
		.retry_s = a->retry_s,
		.nretry = a->nretry };
	enum reason reason;

	if (r->is_connect != CONNECT_FINE) {
		c.feedback = CORE_FB_CONNECT;
	} else if (r->smtp_code == 421 ||
	    (reason_parse(r->class, &reason) == 0 && reason == REASON_RATE)) {
		c.feedback = CORE_FB_THROTTLE;
	}
	return c;
}

static void
held(struct qmgr *q, const struct subject *s)
{
	struct event_held e = { SUBJECT(s) };

	qmgr_write(q, EVENT_held, &e, NULL, 0, 0);
}

/* The core has decided: writes what it means. */
static void
settle(struct qmgr *q, const struct subject *s, struct ipc_result *r,
    const struct core_verdict *v)
{
	tls_learn_result(q, s, r);
	switch (v->fate) {
	case CORE_FATE_AGAIN:
		return;
	case CORE_FATE_RETRY:
	case CORE_FATE_DELETED:
		outcome_deferred(q, s, r, v);
		return;
	case CORE_FATE_HELD:
		if (r->outcome != OUTCOME_RETURNED) {
			outcome_deferred(q, s, r, v);
		}
		held(q, s);
		return;
	case CORE_FATE_FINAL:
		break;
	}
	if (r->outcome == OUTCOME_DELIVERED) {
		outcome_delivered(q, s, r);
		return;
	}
	if (r->outcome == OUTCOME_DAMAGED) {
		r->is_hard = 0;
		r->class = str_of(reason_desc(REASON_OTHER)->name);
		damaged(q, s, r);
	}
	outcome_failed(q, s, r);
}

static bool
is_final(const struct ipc_result *r)
{
	return r->outcome == OUTCOME_DELIVERED ||
	    r->outcome == OUTCOME_FAILED || r->outcome == OUTCOME_DAMAGED;
}

static void
apply(struct qmgr *q, struct job *job, struct ipc_result *r)
{
	struct paths_answer shaped;
	struct core_result c;
	struct subject s = {
		.now_us = qmgr_now(q),
		.msg = job->msg,
		.msgid = job->msgid,
		.accept_lsn = job->accept_lsn,
		.account = job->account,
		.subaccount = job->subaccount,
		.rcpt = r->rcpt,
		.sent_us = job->sent_us,
	};
	struct core_verdict v;

	if (r->is_connect == CONNECT_UNFIT && sources_unfit(q, job->path, r)) {
		r->outcome = OUTCOME_RETURNED;
	}
	paths_result(q, job->path, r, &shaped);
	c = for_core(r, &shaped);
	if (is_final(r)) {
		dsn_hold(q, s.msg);
	}
	if (core_result(q->core, job->core, r->rcpt, &c, &v) < 0) {
		log_debug("a result for a recipient that is in no job");
	} else {
		settle(q, &s, r, &v);
		paths_changed(q, &shaped);
		job->left--;
	}
	if (is_final(r)) {
		dsn_unhold(q, s.msg);
	}
	if (job->left == 0) {
		dispatch_finish(q, job);
	} else if (r->is_last) {
		/* No more will come for those without a result. */
		(void)core_job_return(q->core, job->core);
		dispatch_finish(q, job);
	}
	turn_wanted(q);
}

static bool
find_rcpt(
    struct qmgr *q, uint32_t msg, uint16_t ordinal, struct core_rcpt_view *out)
{
	uint32_t n = core_message_rcpts(q->core, msg, NULL, 0);
	struct core_rcpt_view *all = mem_alloc((n + 1) * sizeof(*all));
	bool is_found = false;

	n = core_message_rcpts(q->core, msg, all, n);
	for (uint32_t i = 0; i < n && !is_found; i++) {
		if (all[i].r.ordinal == ordinal) {
			*out = all[i];
			is_found = true;
		}
	}
	free(all);
	return is_found;
}

/*
 * A result of a job that this run knows nothing of: deliver had it before a
 * restart of qmgr, or sends it again because it was not acknowledged.
 */
static void
apply_late(struct qmgr *q, struct ipc_result *r)
{
	uint32_t msg = core_find(q->core, &r->msgid);
	struct paths_answer shaped;
	struct core_result c;
	struct core_rcpt_view view;
	struct core_message m;
	struct core_verdict v;
	struct subject s;
	uint32_t n;

	if (msg == CORE_NONE || !find_rcpt(q, msg, r->rcpt, &view) ||
	    r->attempt <= view.r.attempts ||
	    core_message_get(q->core, msg, &m, &n) < 0) {
		return; /* the journal has it already */
	}
	s = (struct subject){
		.now_us = qmgr_now(q),
		.msg = msg,
		.msgid = r->msgid,
		.accept_lsn = m.accept_lsn,
		.account = m.account,
		.subaccount = m.subaccount,
		.rcpt = r->rcpt,
	};
	paths_result(q, CORE_NONE, r, &shaped);
	c = for_core(r, &shaped);
	dsn_hold(q, msg);
	if (core_result_late(q->core, msg, r->rcpt, &c, &v) == 0) {
		if (r->outcome != OUTCOME_RETURNED) {
			source_used_late(q, r);
		}
		settle(q, &s, r, &v);
	}
	dsn_unhold(q, msg);
	turn_wanted(q);
}

void
outcome_result(struct qmgr *q, struct peer *p, const struct ipc_result *r)
{
	struct deliver *d = &q->delivers[peer_index(p)];
	struct job *job = jobs_find(q->jobs, r->job);
	struct ipc_result copy = *r;

	if (job != NULL && job->deliver == peer_index(p) &&
	    uuid_eq(&job->msgid, &r->msgid)) {
		apply(q, job, &copy);
	} else {
		apply_late(q, &copy);
	}
	if (d->peer != p) {
		return; /* the last words of one that has a successor */
	}
	d->seen = r->seq;
	d->seen_at = jrn_position(q->jrn);
	if (d->wait == 0 && jrn_settled(q->jrn) == d->seen_at) {
		outcome_ack(q); /* nothing was written for it */
	}
}

void
outcome_local(struct qmgr *q, struct job *job, uint16_t ordinal,
    uint32_t attempt, enum outcome outcome, const char *text)
{
	struct buf record = { 0 };
	struct event_accepted e;
	struct core_message m;
	uint32_t n;
	struct ipc_result r = {
		.msgid = job->msgid,
		.rcpt = ordinal,
		.outcome = (uint8_t)outcome,
		.attempt = attempt,
		.smtp_enh =
		    outcome == OUTCOME_DEFERRED ? STR("4.3.0") : STR("5.3.0"),
		.smtp_text = str_of(text),
		.class = str_of(reason_desc(REASON_OTHER)->name),
	};

	if (core_message_get(q->core, job->msg, &m, &n) == 0 &&
	    accepted_reread(q, &m.place, &record, &e) == 0) {
		r.rcpt_to = accepted_rcpt(&e, ordinal).address;
	}
	apply(q, job, &r);
	buf_fini(&record);
}

/* ---- acknowledgements --------------------------------------------------- */

void
outcome_ack(struct qmgr *q)
{
	uint64_t settled = jrn_settled(q->jrn);

	for (unsigned i = 0; i < q->n_delivers; i++) {
		struct deliver *d = &q->delivers[i];
		struct ipc_result_ack m = { 0 };

		if (d->wait != 0 && d->wait_at <= settled) {
			m.seq = d->wait;
			d->wait = 0;
		}
		if (d->wait == 0 && d->seen > d->acked && d->seen > m.seq) {
			if (d->seen_at <= settled) {
				m.seq = d->seen;
			} else {
				d->wait = d->seen;
				d->wait_at = d->seen_at;
			}
		}
		if (m.seq != 0 && d->peer != NULL) {
			d->acked = m.seq;
			(void)peer_send(d->peer, IPC_result_ack, 0, &m);
		}
	}
}
