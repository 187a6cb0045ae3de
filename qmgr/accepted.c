/*
 * From a message's accepted record to what the core and the shell keep of it.
 */
#include <errno.h>
#include <string.h>

#include "account.h"
#include "core_name.h"
#include "core_view.h"
#include "domain.h"
#include "dsn_due.h"
#include "log.h"
#include "qmgr.h"
#include "results.h"
#include "sources.h"
#include "suppression.h"

#define RCPTS_MAX 65535u

struct str
accepted_domain(struct str address, char *name, size_t size)
{
	struct str d = address;
	ssize_t n;

	for (size_t i = address.len; i > 0; i--) {
		if (address.p[i - 1] == '@') {
			d = (struct str){ address.p + i, address.len - i };
			break;
		}
	}
	n = domain_to_ascii(d.p, d.len, DOMAIN_UNDERSCORE, name, size);
	if (n < 0) {
		if (d.len == 0 || d.len > size - 1) {
			d = STR("invalid");
		}
		memcpy(name, d.p, d.len);
		n = (ssize_t)d.len;
		domain_lower(name, d.len);
	}
	return (struct str){ name, (size_t)n };
}

static uint32_t
domain_of(struct qmgr *q, struct str address)
{
	char name[ACCEPTED_DOMAIN_SIZE];

	return core_domain(
	    q->core, accepted_domain(address, name, sizeof(name)));
}

static struct note
note_of(struct qmgr *q, const struct event_accepted *e)
{
	struct note n = { 0 };

	if (e->sender.len == 0) {
		n.flags |= NOTE_NULL;
	}
	if (e->flags & (MESSAGE_PLAIN_SENDER | MESSAGE_OWN_DSN)) {
		n.flags |= NOTE_PLAIN;
	}
	if (e->flags & MESSAGE_TEST) {
		n.flags |= NOTE_TEST;
	}
	n.return_domain = notes_name_number(q->notes, e->return_domain);
	return n;
}

struct core_rcpt *
accepted_room(struct qmgr *q, uint32_t n)
{
	if (n > q->rcpts_room) {
		q->rcpts_room = n + 64;
		q->rcpts =
		    mem_resize(q->rcpts, q->rcpts_room * sizeof(*q->rcpts));
	}
	return q->rcpts;
}

static int
read_rcpts(struct qmgr *q, const struct event_accepted *e, uint32_t due_s,
    struct accepted_view *out)
{
	struct str rest = e->rcpts;
	struct event_rcpt r;
	uint32_t n = 0;

	if (e->nrcpt == 0 || e->nrcpt > RCPTS_MAX) {
		return -EBADMSG;
	}
	out->rcpts = accepted_room(q, e->nrcpt);
	while (n < e->nrcpt && event_rcpt_next(&rest, &r)) {
		bool is_blocked = r.notify & RCPT_BLOCKED;

		out->rcpts[n] = (struct core_rcpt){
			.ordinal = (uint16_t)n,
			.domain = domain_of(q, r.address),
			.due_s = due_s,
			.is_held = is_blocked,
		};
		if (is_blocked) {
			out->note.flags |= NOTE_BLOCKED;
		}
		if (r.notify & RCPT_NOTIFY_SUCCESS) {
			out->note.flags |= NOTE_SUCCESS;
		}
		n++;
	}
	out->n = n;
	return n == e->nrcpt && rest.len == 0 ? 0 : -EBADMSG;
}

int
accepted_read(struct qmgr *q, const struct event_accepted *e,
    const struct core_place *place, uint64_t lsn, struct accepted_view *out)
{
	uint64_t expires = e->expires_us != 0
	    ? e->expires_us
	    : e->time_us + q->conf->queue_lifetime;

	*out = (struct accepted_view){ .note = note_of(q, e) };
	out->m = (struct core_message){
		.id = e->msgid,
		.account = e->account,
		.subaccount = e->subaccount,
		.pool = sources_pool(q, e->pool),
		.class = e->class <= CLASS_DIGEST ? (enum core_class)e->class
						  : CORE_STANDARD,
		.accept_lsn = lsn,
		.expiry_s = (uint32_t)(expires / US_PER_S),
		.size = (uint64_t)place->content_len + e->big_len,
		.place = *place,
	};
	if (!(out->note.flags & (NOTE_PLAIN | NOTE_NULL))) {
		out->m.flags |= CORE_SINGLE; /* a return path of its own */
	}
	return read_rcpts(q, e, (uint32_t)(e->not_before_us / US_PER_S), out);
}

int
accepted_add(struct qmgr *q, const struct event_accepted *e,
    const struct accepted_view *v, uint32_t *msg)
{
	int r = core_add(q->core, &v->m, v->rcpts, v->n, msg);

	if (r < 0) {
		return r;
	}
	notes_set(q->notes, *msg, v->note);
	if (e->big_file != 0) {
		notes_set_big(q->notes, *msg, e->big_file);
	}
	return 0;
}

int
accepted_reread(struct qmgr *q, const struct core_place *place, struct buf *buf,
    struct event_accepted *e)
{
	struct seg *g = segs_find(q->segs, place->segid);
	struct plog_record rec;
	int r;

	if (g == NULL) {
		return -ENOENT;
	}
	r = segs_open(q->segs, g);
	if (r == 0) {
		r = plog_read_record(
		    g->fd, g->segid, place->rec_off, buf, &rec);
	}
	if (r == 0) {
		r = event_decode(EVENT_accepted, rec.rec.p, rec.rec.len, e);
	}
	return r;
}

struct event_rcpt
accepted_rcpt(const struct event_accepted *e, uint16_t ordinal)
{
	struct str rest = e->rcpts;
	struct event_rcpt r;

	for (uint32_t i = 0; event_rcpt_next(&rest, &r); i++) {
		if (i == ordinal) {
			return r;
		}
	}
	return (struct event_rcpt){ 0 };
}

/* ---- recipients that are never tried ------------------------------------ */

static void
settle_blocked(struct qmgr *q, struct subject *s, const struct event_rcpt *r)
{
	struct event_blocked e = {
		.time_us = s->now_us,
		.msgid = s->msgid,
		.accept_lsn = s->accept_lsn,
		.account = s->account,
		.subaccount = s->subaccount,
		.rcpt = s->rcpt,
		.rcpt_to = r->address,
		.class =
		    str_of(suppression_name(RCPT_BLOCKED_REASON(r->notify))),
		.smtp_text = STR("the recipient is on the suppression list"),
	};
	struct ipc_result told = {
		.smtp_enh = STR("5.7.1"),
		.smtp_text = STR("not sent: the address is on the account's "
				 "suppression list"),
	};
	char id[UUID_TEXT_SIZE];
	char to[320];

	(void)dsn_note(q, s, r, &told, DSN_FAILED);
	qmgr_write(q, EVENT_blocked, &e, NULL, 0, 0);
	uuid_print(&s->msgid, id);
	log_info("%s: to=<%s>, relay=none, delay=0, delays=0/0/0/0, "
		 "dsn=5.7.1, status=bounced (suppressed recipient)",
	    id, str_safe(to, sizeof(to), r->address));
}

static void
settle_test(struct qmgr *q, struct subject *s, const struct event_rcpt *r)
{
	struct ipc_result result = {
		.rcpt_to = r->address,
		.smtp_code = 250,
		.smtp_enh = STR("2.0.0"),
		.smtp_text = STR("250 2.0.0 test key: not sent"),
		.class = STR("test"),
	};

	outcome_delivered(q, s, &result);
}

/* Ends the recipient in the core; false: it was ended before. */
static bool
end_rcpt(struct qmgr *q, uint32_t msg, uint16_t ordinal)
{
	struct core_result r = { .outcome = OUTCOME_FAILED };
	struct core_verdict v;

	return core_result_late(q->core, msg, ordinal, &r, &v) == 0;
}

void
accepted_settle(struct qmgr *q, uint32_t msg)
{
	struct note *n = notes_at(q->notes, msg);
	bool is_test = n->flags & NOTE_TEST;
	struct buf record = { 0 };
	struct event_accepted e;
	struct core_message m;
	struct event_rcpt r;
	struct str rest;
	struct subject s;
	uint32_t count;

	if (core_message_get(q->core, msg, &m, &count) < 0 ||
	    accepted_reread(q, &m.place, &record, &e) < 0) {
		buf_fini(&record);
		return;
	}
	s = (struct subject){ .now_us = qmgr_now(q),
		.msg = msg,
		.msgid = m.id,
		.accept_lsn = m.accept_lsn,
		.account = m.account,
		.subaccount = m.subaccount };
	rest = e.rcpts;
	core_pin(q->core, msg, true);
	for (; event_rcpt_next(&rest, &r); s.rcpt++) {
		bool is_blocked = r.notify & RCPT_BLOCKED;

		if ((!is_blocked && !is_test) || !end_rcpt(q, msg, s.rcpt)) {
			continue;
		}
		if (is_blocked) {
			settle_blocked(q, &s, &r);
		} else {
			settle_test(q, &s, &r);
		}
	}
	n->flags &= (uint16_t) ~(NOTE_BLOCKED | NOTE_TEST);
	if (!(n->flags & NOTE_DSN)) {
		core_pin(q->core, msg, false);
	}
	buf_fini(&record);
}
