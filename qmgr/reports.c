#include "reports.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core_view.h"
#include "log.h"
#include "map.h"
#include "qmgr.h"
#include "results.h"

/* Reports out with bouncer at a time. */
#define WINDOW 64

/* What bouncer read from a report; kept until it has read all of it, so that
 * a bouncer that dies in between says nothing twice. */
struct fact {
	struct fact *next;
	struct ipc_report_fact m; /* texts point behind */
	char texts[];
};

struct report {
	struct report *next; /* in the queue of those to be sent */
	uint64_t number;
	struct report_view v;
	bool is_ready;
	bool is_sent;
	bool is_consumed; /* written, not durable yet */
	struct fact *facts;
	struct fact **last;
};

struct reports {
	struct map *by_number;
	struct map *by_msgid;
	uint64_t last;
	struct report *first; /* queue */
	struct report **tail;
	unsigned out;
};

static struct str
key_of(const struct uuid *id)
{
	return (struct str){ (const char *)id->b, sizeof(id->b) };
}

void
reports_init(struct qmgr *q)
{
	struct reports *s = mem_alloc(sizeof(*s));

	s->by_number = map_new();
	s->by_msgid = map_new();
	s->last = qmgr_now(q);
	s->tail = &s->first;
	q->reports = s;
}

static void
drop_facts(struct report *r)
{
	while (r->facts != NULL) {
		struct fact *f = r->facts;

		r->facts = f->next;
		free(f);
	}
	r->last = &r->facts;
}

static void
report_free(void *value)
{
	drop_facts(value);
	free(value);
}

void
reports_fini(struct qmgr *q)
{
	if (q->reports == NULL) {
		return;
	}
	map_free(&q->reports->by_msgid, NULL);
	map_free(&q->reports->by_number, report_free);
	free(q->reports);
	q->reports = NULL;
}

static struct report *
add(struct qmgr *q, const struct report_view *v)
{
	struct reports *s = q->reports;
	struct report *r;

	if (map_get(s->by_msgid, key_of(&v->msgid)) != NULL) {
		return NULL;
	}
	r = mem_alloc(sizeof(*r));
	r->number = ++s->last;
	r->v = *v;
	r->last = &r->facts;
	(void)map_put_u64(s->by_number, r->number, r);
	(void)map_put(s->by_msgid, key_of(&v->msgid), r);
	segs_add(q->segs, v->place.segid)->live++;
	return r;
}

/* ---- to bouncer --------------------------------------------------------- */

static bool
send_report(struct qmgr *q, struct report *r)
{
	const struct core_place *p = &r->v.place;
	struct seg *g = segs_find(q->segs, p->segid);
	struct ipc_report_job m = {
		.job = r->number,
		.msgid = r->v.msgid,
		.segid = p->segid,
		.rec_off = p->rec_off,
		.rec_len = p->rec_len,
		.content_off = p->content_off,
		.content_len = p->content_len,
		.content_crc = p->content_crc,
	};
	int e = files_to_bouncer(q, g, r->v.big_file);

	if (e < 0) {
		log_error("segment %016" PRIx64 ": %s", p->segid, strerror(-e));
		return false;
	}
	r->is_sent = true;
	q->reports->out++;
	(void)peer_send(q->bouncer, IPC_report_job, 0, &m);
	return true;
}

static void
send_more(struct qmgr *q)
{
	struct reports *s = q->reports;

	while (q->bouncer != NULL && s->out < WINDOW && s->first != NULL) {
		struct report *r = s->first;

		s->first = r->next;
		if (s->first == NULL) {
			s->tail = &s->first;
		}
		(void)send_report(q, r); /* tried again with the next bouncer */
	}
}

static void
enqueue(struct qmgr *q, struct report *r)
{
	r->next = NULL;
	*q->reports->tail = r;
	q->reports->tail = &r->next;
}

uint64_t
reports_add(struct qmgr *q, const struct event_accepted *e,
    const struct core_place *place)
{
	struct report_view v = {
		.msgid = e->msgid,
		.account = e->account,
		.subaccount = e->subaccount,
		.big_file = e->big_file,
		.place = *place,
	};
	struct report *r = add(q, &v);

	return r != NULL ? r->number : 0;
}

void
reports_ready(struct qmgr *q, uint64_t number, uint64_t accept_lsn)
{
	struct report *r = map_get_u64(q->reports->by_number, number);

	if (r == NULL) {
		return;
	}
	r->v.accept_lsn = accept_lsn;
	r->is_ready = true;
	enqueue(q, r);
	send_more(q);
}

void
reports_bouncer_up(struct qmgr *q)
{
	struct reports *s = q->reports;
	size_t at = 0;
	struct str key;
	void *value;

	s->first = NULL;
	s->tail = &s->first;
	while (map_next(s->by_number, &at, &key, &value)) {
		struct report *r = value;

		if (r->is_ready && !r->is_sent && !r->is_consumed) {
			enqueue(q, r);
		}
	}
	send_more(q);
}

void
reports_bouncer_down(struct qmgr *q)
{
	struct reports *s = q->reports;
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(s->by_number, &at, &key, &value)) {
		struct report *r = value;

		if (r->is_sent) {
			r->is_sent = false;
			drop_facts(r);
			files_done(q, r->v.place.segid, r->v.big_file);
		}
	}
	s->out = 0;
}

/* ---- what bouncer says -------------------------------------------------- */

static char *
move_text(char *to, struct str *s)
{
	memcpy(to, s->p, s->len);
	s->p = to;
	return to + s->len;
}

void
reports_fact(struct qmgr *q, const struct ipc_report_fact *m)
{
	struct report *r = map_get_u64(q->reports->by_number, m->job);
	struct fact *f;
	char *to;

	if (r == NULL || !r->is_sent) {
		return;
	}
	f = mem_alloc(sizeof(*f) + m->rcpt_to.len + m->status.len +
	    m->text.len + m->class.len + m->reporting_mta.len +
	    m->feedback_type.len);
	f->m = *m;
	to = move_text(f->texts, &f->m.rcpt_to);
	to = move_text(to, &f->m.status);
	to = move_text(to, &f->m.text);
	to = move_text(to, &f->m.class);
	to = move_text(to, &f->m.reporting_mta);
	(void)move_text(to, &f->m.feedback_type);
	*r->last = f;
	r->last = &f->next;
}

/* The accepted record of a message that went out. */
static int
original(const struct uuid *msgid, uint64_t accept_lsn, struct buf *buf,
    struct event_accepted *e)
{
	char path[JOURNAL_NAME_SIZE + 4] = "jrn/";
	uint32_t number = journal_lsn_number(accept_lsn);
	struct plog_record rec;
	autoclose int fd = -1;
	int r;

	journal_name(number, path + 4);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	r = plog_read_record(
	    fd, journal_segid(number), journal_lsn_off(accept_lsn), buf, &rec);
	if (r == 0) {
		r = rec.type == EVENT_accepted
		    ? event_decode(rec.type, rec.rec.p, rec.rec.len, e)
		    : -EBADMSG;
	}
	if (r == 0 && !uuid_eq(&e->msgid, msgid)) {
		r = -EBADMSG;
	}
	return r;
}

void
reports_owner(const struct ipc_owner_req *m, struct ipc_owner_rep *out)
{
	struct buf buf = { 0 };
	struct event_accepted a;
	int r = original(&m->msgid, m->accept_lsn, &buf, &a);

	*out = (struct ipc_owner_rep){ .status = (uint32_t)-r };
	if (r == 0) {
		out->account = a.account;
		out->subaccount = a.subaccount;
	}
	buf_fini(&buf);
}

/* A hard failure of a recipient that is queued still is final. Returns
 * whether it was still queued. */
static bool
end_original(struct qmgr *q, const struct ipc_report_fact *m)
{
	uint32_t msg = core_find(q->core, &m->orig_msgid);
	struct core_result c = { .outcome = OUTCOME_FAILED };
	struct core_verdict v;

	return msg != CORE_NONE && m->kind == EVENT_bounce &&
	    core_result_late(q->core, msg, m->orig_rcpt, &c, &v) == 0;
}

#define COMMON(a, m)                                                           \
	.time_us = qmgr_now(q), .msgid = (m)->orig_msgid,                      \
	.accept_lsn = (m)->orig_accept_lsn, .account = (a)->account,           \
	.subaccount = (a)->subaccount, .rcpt = (m)->orig_rcpt

static void
write_failure(struct qmgr *q, const struct event_accepted *a,
    const struct ipc_report_fact *m)
{
	uint8_t is_late = !end_original(q, m);

	if (m->kind == EVENT_bounce) {
		struct event_bounce e = { COMMON(a, m), .is_late = is_late,
			.rcpt_to = m->rcpt_to, .smtp_enh = m->status,
			.smtp_text = m->text, .class = m->class, .is_hard = 1,
			.dsn_reporting_mta = m->reporting_mta };

		qmgr_write(q, EVENT_bounce, &e, NULL, 0, 0);
	} else {
		struct event_soft_bounce e = { COMMON(a, m), .is_late = 1,
			.rcpt_to = m->rcpt_to, .smtp_enh = m->status,
			.smtp_text = m->text, .class = m->class,
			.dsn_reporting_mta = m->reporting_mta };

		qmgr_write(q, EVENT_soft_bounce, &e, NULL, 0, 0);
	}
}

static void
write_other(struct qmgr *q, const struct event_accepted *a,
    const struct ipc_report_fact *m)
{
	if (m->kind == EVENT_complaint) {
		struct event_complaint e = { COMMON(a, m),
			.rcpt_to = m->rcpt_to,
			.feedback_type = m->feedback_type,
			.dsn_reporting_mta = m->reporting_mta };

		qmgr_write(q, EVENT_complaint, &e, NULL, 0, 0);
	} else if (m->kind == EVENT_auto_reply) {
		struct event_auto_reply e = { COMMON(a, m),
			.rcpt_to = m->rcpt_to, .smtp_text = m->text };

		qmgr_write(q, EVENT_auto_reply, &e, NULL, 0, 0);
	} else if (m->kind == EVENT_unsubscribe) {
		struct event_unsubscribe e = { COMMON(a, m),
			.rcpt_to = m->rcpt_to };

		qmgr_write(q, EVENT_unsubscribe, &e, NULL, 0, 0);
	}
}

static void
log_fact(const struct ipc_report_fact *m)
{
	const struct event_desc *d = event_desc(m->kind);
	char id[UUID_TEXT_SIZE];
	char to[320];
	char text[512];
	char status[17];

	uuid_print(&m->orig_msgid, id);
	log_info("%s: to=<%s>, %s reported, dsn=%s (%s)", id,
	    str_safe(to, sizeof(to), m->rcpt_to), d->name,
	    str_safe(status, sizeof(status), m->status),
	    str_safe(text, sizeof(text), m->text));
}

static void
write_fact(struct qmgr *q, const struct ipc_report_fact *told)
{
	struct ipc_report_fact fact = *told, *m = &fact;
	struct buf buf = { 0 };
	struct event_accepted a;
	char id[UUID_TEXT_SIZE];
	int r;

	if (event_desc(m->kind) == NULL) {
		return;
	}
	r = original(&m->orig_msgid, m->orig_accept_lsn, &buf, &a);
	if (r == 0) {
		/* Only the token is authentic: the fact is about the address
		 * we sent to, whichever one the report names. */
		m->rcpt_to = accepted_rcpt(&a, m->orig_rcpt).address;
		r = m->rcpt_to.len != 0 ? 0 : -ENOENT;
	}
	if (r < 0) {
		uuid_print(&m->orig_msgid, id);
		log_info("%s: a report about it comes too late: its record is "
			 "not kept any more",
		    id);
	} else {
		if (m->kind == EVENT_bounce || m->kind == EVENT_soft_bounce) {
			write_failure(q, &a, m);
		} else {
			write_other(q, &a, m);
		}
		log_fact(m);
	}
	buf_fini(&buf);
}

/* ---- the end ------------------------------------------------------------ */

static void
forget(struct qmgr *q, struct report *r)
{
	struct seg *g = segs_find(q->segs, r->v.place.segid);
	char path[SEG_PATH_SIZE];

	if (r->v.big_file != 0) {
		big_path(r->v.big_file, path);
		disk_remove_lazily(q->disk, path);
	}
	(void)map_del_u64(q->reports->by_number, r->number);
	(void)map_del(q->reports->by_msgid, key_of(&r->v.msgid));
	report_free(r);
	bug_on(g == NULL || g->live == 0);
	g->live--;
	release_segment(q, g);
}

static void
on_consumed(void *arg, uint64_t lsn, uint64_t number, uint64_t zero)
{
	struct qmgr *q = arg;
	struct report *r = map_get_u64(q->reports->by_number, number);

	(void)lsn;
	(void)zero;
	if (r != NULL) {
		forget(q, r);
	}
}

void
reports_done(struct qmgr *q, const struct ipc_report_done *m)
{
	struct report *r = map_get_u64(q->reports->by_number, m->job);
	struct event_consumed e;

	if (r == NULL || !r->is_sent) {
		return;
	}
	for (const struct fact *f = r->facts; f != NULL; f = f->next) {
		write_fact(q, &f->m);
	}
	drop_facts(r);
	e = (struct event_consumed){
		.time_us = qmgr_now(q),
		.msgid = r->v.msgid,
		.accept_lsn = r->v.accept_lsn,
		.account = r->v.account,
		.subaccount = r->v.subaccount,
	};
	r->is_sent = false;
	r->is_consumed = true;
	q->reports->out--;
	files_done(q, r->v.place.segid, r->v.big_file);
	qmgr_write(q, EVENT_consumed, &e, on_consumed, r->number, 0);
	send_more(q);
	turn_wanted(q);
}

/* ---- recovery and checkpoints ------------------------------------------- */

void
reports_restore(struct qmgr *q, const struct report_view *v)
{
	struct report *r = add(q, v);

	if (r != NULL) {
		r->is_ready = true;
	}
}

void
reports_restore_consumed(struct qmgr *q, const struct uuid *msgid)
{
	struct report *r = map_get(q->reports->by_msgid, key_of(msgid));

	if (r != NULL) {
		forget(q, r);
	}
}

bool
reports_known(const struct qmgr *q, const struct uuid *msgid)
{
	return map_get(q->reports->by_msgid, key_of(msgid)) != NULL;
}

bool
reports_next(const struct qmgr *q, size_t *at, struct report_view *out)
{
	struct str key;
	void *value;

	while (map_next(q->reports->by_number, at, &key, &value)) {
		const struct report *r = value;

		if (r->is_ready) {
			*out = r->v;
			return true;
		}
	}
	return false;
}
