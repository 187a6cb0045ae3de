#include "dsn_due.h"

#include <string.h>

#include "core_view.h"
#include "dsn.h"
#include "log.h"
#include "loop.h"
#include "map.h"
#include "qmgr.h"
#include "replay.h"

#define ITEMS_MAX (60 * 1024)
#define RETRY_US (60 * US_PER_S)

/* A recipient of which the sender is to be told. */
struct due {
	struct due *next;
	uint16_t ordinal;
	uint8_t action;	 /* enum dsn_action */
	bool is_durable; /* the fact that it is due */
	bool is_sent;	 /* in the job that runs */
	size_t len;
	char item[];
};

struct dsn {
	uint32_t msg;
	struct due *dues;
	uint64_t job; /* that runs; 0: none */
	struct core_place place;
	uint64_t big;
	uint64_t not_before_us;
};

struct dsns {
	struct map *by_msg;
	struct map *by_job;
	uint64_t last_job;
	struct loop_defer defer;
	struct loop_timer *retry;
};

static void send_all(void *arg);

void
dsn_init(struct qmgr *q)
{
	q->dsns = mem_alloc(sizeof(*q->dsns));
	q->dsns->by_msg = map_new();
	q->dsns->by_job = map_new();
	q->dsns->retry = loop_timer_new(send_all, q);
	q->dsns->last_job = qmgr_now(q);
}

static void
dsn_free(void *value)
{
	struct dsn *d = value;

	while (d->dues != NULL) {
		struct due *e = d->dues;

		d->dues = e->next;
		free(e);
	}
	free(d);
}

void
dsn_fini(struct qmgr *q)
{
	if (q->dsns == NULL) {
		return;
	}
	loop_defer_cancel(&q->dsns->defer);
	loop_timer_free(&q->dsns->retry);
	map_free(&q->dsns->by_job, NULL);
	map_free(&q->dsns->by_msg, dsn_free);
	free(q->dsns);
	q->dsns = NULL;
}

bool
dsn_tells_sender(const struct qmgr *q, uint32_t msg)
{
	unsigned flags = notes_at(q->notes, msg)->flags;

	return (flags & NOTE_PLAIN) && !(flags & (NOTE_NULL | NOTE_TEST));
}

void
dsn_hold(struct qmgr *q, uint32_t msg)
{
	if (dsn_tells_sender(q, msg)) {
		core_pin(q->core, msg, true);
	}
}

void
dsn_unhold(struct qmgr *q, uint32_t msg)
{
	if (dsn_tells_sender(q, msg) &&
	    map_get_u64(q->dsns->by_msg, msg) == NULL) {
		core_pin(q->core, msg, false);
	}
}

static struct dsn *
dsn_of(struct qmgr *q, uint32_t msg)
{
	struct dsn *d = map_get_u64(q->dsns->by_msg, msg);

	if (d == NULL) {
		d = mem_alloc(sizeof(*d));
		d->msg = msg;
		(void)map_put_u64(q->dsns->by_msg, msg, d);
		notes_at(q->notes, msg)->flags |= NOTE_DSN;
		core_pin(q->core, msg, true);
	}
	return d;
}

static struct due *
find_due(const struct dsn *d, uint16_t ordinal, uint8_t action)
{
	for (struct due *e = d->dues; e != NULL; e = e->next) {
		if (e->ordinal == ordinal && e->action == action) {
			return e;
		}
	}
	return NULL;
}

static void
add_due(struct qmgr *q, uint32_t msg, const struct dsn_item *i, struct str item,
    bool is_durable)
{
	struct dsn *d = dsn_of(q, msg);
	struct due *e;

	if (i->action == DSN_DELAYED) {
		notes_at(q->notes, msg)->flags |= NOTE_WARNED;
	}
	if (find_due(d, i->rcpt, i->action) != NULL) {
		return;
	}
	e = mem_alloc(sizeof(*e) + item.len);
	e->ordinal = i->rcpt;
	e->action = i->action;
	e->is_durable = is_durable;
	e->len = item.len;
	memcpy(e->item, item.p, item.len);
	e->next = d->dues;
	d->dues = e;
}

/* The last due is gone: the message may go too. */
static void
drop_dues(struct qmgr *q, struct dsn *d, bool is_sent_only)
{
	struct due **at = &d->dues;

	while (*at != NULL) {
		struct due *e = *at;

		if (is_sent_only && !e->is_sent) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		free(e);
	}
	if (d->dues == NULL) {
		(void)map_del_u64(q->dsns->by_msg, d->msg);
		notes_at(q->notes, d->msg)->flags &= (uint16_t)~NOTE_DSN;
		core_pin(q->core, d->msg, false);
		free(d);
		turn_wanted(q);
	}
}

/* ---- to bouncer --------------------------------------------------------- */

/* What goes into one notification: recipients with the same fate. */
static void
collect(struct dsn *d, struct buf *items)
{
	const struct due *first = NULL;

	for (struct due *e = d->dues; e != NULL; e = e->next) {
		if (first == NULL && e->is_durable) {
			first = e;
		}
		if (e->is_durable && e->action == first->action &&
		    items->len + e->len <= ITEMS_MAX) {
			buf_add(items, e->item, e->len);
			e->is_sent = true;
		}
	}
}

static void
send_one(struct qmgr *q, struct dsn *d)
{
	struct buf failures = { 0 };
	struct core_message m;
	struct seg *g;
	uint32_t n;
	struct ipc_dsn_job job = { .job = ++q->dsns->last_job };

	bug_on(core_message_get(q->core, d->msg, &m, &n) < 0);
	collect(d, &failures);
	g = segs_find(q->segs, m.place.segid);
	if (failures.len == 0 || g == NULL ||
	    files_to_bouncer(q, g, notes_big(q->notes, d->msg)) < 0) {
		buf_fini(&failures);
		return;
	}
	d->job = job.job;
	d->place = m.place;
	d->big = notes_big(q->notes, d->msg);
	(void)map_put_u64(q->dsns->by_job, job.job, d);
	job.msgid = m.id;
	job.segid = m.place.segid;
	job.rec_off = m.place.rec_off;
	job.rec_len = m.place.rec_len;
	job.content_off = m.place.content_off;
	job.content_len = m.place.content_len;
	job.content_crc = m.place.content_crc;
	job.failures = buf_str(&failures);
	(void)peer_send(q->bouncer, IPC_dsn_job, 0, &job);
	buf_fini(&failures);
}

static void
send_all(void *arg)
{
	struct qmgr *q = arg;
	size_t at = 0;
	struct str key;
	void *value;

	while (q->bouncer != NULL &&
	    map_next(q->dsns->by_msg, &at, &key, &value)) {
		struct dsn *d = value;

		if (d->job == 0 && d->not_before_us <= qmgr_now(q)) {
			send_one(q, d);
		}
	}
	if (map_len(q->dsns->by_msg) != 0) {
		loop_timer_arm(q->dsns->retry, RETRY_US);
	}
}

/* Both name a due of a message. */
static uint64_t
due_key(const struct dsn_item *i)
{
	return (uint64_t)i->action << 16 | i->rcpt;
}

static void
on_durable(void *arg, uint64_t lsn, uint64_t msg, uint64_t key)
{
	struct qmgr *q = arg;
	struct dsn *d = map_get_u64(q->dsns->by_msg, msg);
	struct due *e = NULL;

	(void)lsn;
	if (d != NULL) {
		e = find_due(d, (uint16_t)key, (uint8_t)(key >> 16));
	}
	if (e != NULL) {
		e->is_durable = true;
		/* at the turn's end: recipients of one attempt go together */
		loop_defer(&q->dsns->defer, send_all, q);
	}
}

/* RFC 3461 section 4.1; without NOTIFY failures and delays are told. */
static bool
is_wanted(const struct event_rcpt *r, enum dsn_action action)
{
	static const uint8_t bits[] = {
		[DSN_FAILED] = RCPT_NOTIFY_FAILURE,
		[DSN_DELAYED] = RCPT_NOTIFY_DELAY,
		[DSN_RELAYED] = RCPT_NOTIFY_SUCCESS,
	};
	const uint8_t all = RCPT_NOTIFY_NEVER | RCPT_NOTIFY_SUCCESS |
	    RCPT_NOTIFY_FAILURE | RCPT_NOTIFY_DELAY;

	if ((r->notify & all) == 0) {
		return action != DSN_RELAYED;
	}
	return !(r->notify & RCPT_NOTIFY_NEVER) && (r->notify & bits[action]);
}

bool
dsn_note(struct qmgr *q, const struct subject *s, const struct event_rcpt *rcpt,
    const struct ipc_result *r, enum dsn_action action)
{
	struct buf item = { 0 };
	struct dsn_item i = {
		.rcpt = s->rcpt,
		.action = (uint8_t)action,
		.address = rcpt->address,
		.orcpt = rcpt->orcpt,
		.status = r->smtp_enh,
		.reply = r->smtp_text,
		.remote_mta = r->smtp_code != 0 ? r->dest_host : STR(""),
		.last_attempt_us = r->attempt != 0 ? s->now_us : 0,
	};
	struct event_dsn_pending p = {
		.time_us = s->now_us,
		.msgid = s->msgid,
		.accept_lsn = s->accept_lsn,
		.account = s->account,
		.subaccount = s->subaccount,
		.rcpt = s->rcpt,
	};

	if (!dsn_tells_sender(q, s->msg) || !is_wanted(rcpt, action)) {
		return false;
	}
	dsn_item_add(&item, &i);
	p.item = buf_str(&item);
	add_due(q, s->msg, &i, p.item, false);
	qmgr_write(q, EVENT_dsn_pending, &p, on_durable, s->msg, due_key(&i));
	buf_fini(&item);
	return true;
}

static void
note_result(struct qmgr *q, const struct subject *s, const struct ipc_result *r,
    enum dsn_action action)
{
	struct buf record = { 0 };
	struct event_accepted e;
	struct core_message m;
	struct event_rcpt rcpt;
	uint32_t n;

	if (dsn_tells_sender(q, s->msg) &&
	    core_message_get(q->core, s->msg, &m, &n) == 0 &&
	    accepted_reread(q, &m.place, &record, &e) == 0) {
		rcpt = accepted_rcpt(&e, s->rcpt);
		(void)dsn_note(q, s, &rcpt, r, action);
	}
	buf_fini(&record);
}

void
dsn_failed(struct qmgr *q, const struct subject *s, const struct ipc_result *r)
{
	note_result(q, s, r, DSN_FAILED);
}

static bool
offers_dsn(struct str esmtp)
{
	struct str word;

	while (str_split(&esmtp, ' ', &word)) {
		if (str_eq_case(word, STR("DSN"))) {
			return true;
		}
	}
	return false;
}

void
dsn_delivered(
    struct qmgr *q, const struct subject *s, const struct ipc_result *r)
{
	if ((notes_at(q->notes, s->msg)->flags & NOTE_SUCCESS) &&
	    !offers_dsn(r->esmtp)) {
		note_result(q, s, r, DSN_RELAYED);
	}
}

void
dsn_bouncer_up(struct qmgr *q)
{
	loop_defer(&q->dsns->defer, send_all, q);
}

static void
job_over(struct qmgr *q, struct dsn *d)
{
	(void)map_del_u64(q->dsns->by_job, d->job);
	d->job = 0;
	files_done(q, d->place.segid, d->big);
}

void
dsn_bouncer_down(struct qmgr *q)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(q->dsns->by_msg, &at, &key, &value)) {
		struct dsn *d = value;

		if (d->job == 0) {
			continue;
		}
		job_over(q, d);
		for (struct due *e = d->dues; e != NULL; e = e->next) {
			e->is_sent = false;
		}
	}
}

void
dsn_done(struct qmgr *q, const struct ipc_dsn_done *m)
{
	struct dsn *d = map_get_u64(q->dsns->by_job, m->job);
	struct core_message msg;
	uint32_t n;

	if (d == NULL) {
		return;
	}
	job_over(q, d);
	if (m->status != 0) {
		d->not_before_us = qmgr_now(q) + RETRY_US;
		for (struct due *e = d->dues; e != NULL; e = e->next) {
			e->is_sent = false;
		}
		return;
	}
	bug_on(core_message_get(q->core, d->msg, &msg, &n) < 0);
	for (struct due *e = d->dues; e != NULL; e = e->next) {
		struct event_dsn_written w = {
			.time_us = qmgr_now(q),
			.msgid = msg.id,
			.accept_lsn = msg.accept_lsn,
			.account = msg.account,
			.subaccount = msg.subaccount,
			.rcpt = e->ordinal,
			.action = e->action,
		};

		if (e->is_sent) {
			qmgr_write(q, EVENT_dsn_written, &w, NULL, 0, 0);
		}
	}
	drop_dues(q, d, true);
	loop_defer(&q->dsns->defer, send_all, q);
}

/* ---- recovery ----------------------------------------------------------- */

void
dsn_restore(struct qmgr *q, uint32_t msg, struct str item)
{
	struct str rest = item;
	struct dsn_item i;

	if (dsn_item_next(&rest, &i)) {
		add_due(q, msg, &i, item, true);
	}
}

void
dsn_restore_written(
    struct qmgr *q, uint32_t msg, uint16_t ordinal, uint8_t action)
{
	struct dsn *d = map_get_u64(q->dsns->by_msg, msg);
	struct due *e = d != NULL ? find_due(d, ordinal, action) : NULL;

	if (e == NULL) {
		return;
	}
	e->is_sent = true;
	if (d->dues == e && e->next == NULL &&
	    core_message_rcpts(q->core, msg, NULL, 0) == 0) {
		replay_forget(q, msg);
	}
	drop_dues(q, d, true);
}

void
dsn_collect(const struct qmgr *q, uint32_t msg, struct buf *out)
{
	const struct dsn *d = map_get_u64(q->dsns->by_msg, msg);

	for (const struct due *e = d != NULL ? d->dues : NULL; e != NULL;
	     e = e->next) {
		buf_add(out, e->item, e->len);
	}
}
