#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core_limits.h"
#include "core_view.h"
#include "dsn_due.h"
#include "event_id.h"
#include "log.h"
#include "map.h"
#include "paths.h"
#include "qmgr.h"
#include "reports.h"
#include "source_used.h"
#include "tls_learn.h"

/* An accepted record whose place has not been read. */
struct orphan {
	uint64_t lsn;
	struct uuid id;
	struct buf rec;
};

struct replay {
	struct orphan last;  /* the one just read; lsn 0: none */
	struct map *orphans; /* by message id */
};

static struct str
key_of(const struct uuid *id)
{
	return (struct str){ (const char *)id->b, sizeof(id->b) };
}

static void
orphan_free(void *value)
{
	struct orphan *o = value;

	buf_fini(&o->rec);
	free(o);
}

void
replay_init(struct qmgr *q)
{
	q->replay = mem_alloc(sizeof(*q->replay));
	q->replay->orphans = map_new();
}

void
replay_fini(struct qmgr *q)
{
	if (q->replay == NULL) {
		return;
	}
	buf_fini(&q->replay->last.rec);
	map_free(&q->replay->orphans, orphan_free);
	free(q->replay);
	q->replay = NULL;
}

/* ---- messages ----------------------------------------------------------- */

static void
put_aside(struct replay *p)
{
	struct orphan *o;

	if (p->last.lsn == 0) {
		return;
	}
	o = mem_alloc(sizeof(*o));
	o->lsn = p->last.lsn;
	o->id = p->last.id;
	buf_move(&o->rec, &p->last.rec);
	o = map_put(p->orphans, key_of(&o->id), o);
	if (o != NULL) {
		orphan_free(o);
	}
	p->last.lsn = 0;
}

static void
on_accepted(struct qmgr *q, const struct plog_record *rec, uint64_t lsn)
{
	struct replay *p = q->replay;
	struct event_common c;

	put_aside(p);
	if (!event_peek(rec->type, rec->rec, &c)) {
		return;
	}
	p->last.lsn = lsn;
	p->last.id = c.msgid;
	p->last.rec.len = 0;
	buf_add(&p->last.rec, rec->rec.p, rec->rec.len);
}

static void
add_report(struct qmgr *q, const struct event_accepted *e, uint64_t lsn,
    const struct core_place *place)
{
	struct report_view v = {
		.msgid = e->msgid,
		.accept_lsn = lsn,
		.account = e->account,
		.subaccount = e->subaccount,
		.big_file = e->big_file,
		.place = *place,
	};

	reports_restore(q, &v);
}

static void
add(struct qmgr *q, const struct orphan *o, const struct core_place *place)
{
	struct accepted_view v;
	struct event_accepted e;
	uint32_t msg;
	int r = event_decode(EVENT_accepted, o->rec.p, o->rec.len, &e);

	if (r == 0 && e.inbound != 0) {
		add_report(q, &e, o->lsn, place);
		return;
	}
	if (r == 0) {
		r = accepted_read(q, &e, place, o->lsn, &v);
	}
	if (r == 0) {
		(void)segs_add(q->segs, place->segid);
		r = accepted_add(q, &e, &v, &msg);
	}
	if (r < 0 && r != -EEXIST) {
		log_error("journal file %08x: an accepted message cannot be "
			  "taken up: %s",
		    journal_lsn_number(o->lsn), strerror(-r));
	}
}

static void
on_stored(struct qmgr *q, const struct event_stored *e)
{
	struct replay *p = q->replay;
	struct core_place place = {
		.segid = e->segid,
		.rec_off = (uint32_t)e->rec_off,
		.rec_len = e->rec_len,
		.content_off = (uint32_t)e->content_off,
		.content_len = e->content_len,
		.content_crc = e->content_crc,
	};
	uint32_t msg = core_find(q->core, &e->msgid);
	struct orphan *o;

	if (e->accept_lsn == 0) {
		if (p->last.lsn != 0 && uuid_eq(&p->last.id, &e->msgid)) {
			add(q, &p->last, &place);
			p->last.lsn = 0;
		}
		return;
	}
	if (msg != CORE_NONE) {
		(void)segs_add(q->segs, place.segid);
		if (core_move(q->core, msg, &place) < 0) {
			log_error("segment %016" PRIx64 ": a copied message "
				  "stays where it was",
			    place.segid);
		}
		return;
	}
	put_aside(p);
	o = map_del(p->orphans, key_of(&e->msgid));
	if (o != NULL) {
		add(q, o, &place);
		orphan_free(o);
	}
}

uint64_t
recover_orphan(struct qmgr *q, const struct uuid *id)
{
	struct orphan *o;
	uint64_t lsn;

	if (q->replay == NULL || map_len(q->replay->orphans) == 0) {
		return 0;
	}
	o = map_del(q->replay->orphans, key_of(id));
	if (o == NULL) {
		return 0;
	}
	lsn = o->lsn;
	orphan_free(o);
	return lsn;
}

void
replay_end(struct qmgr *q)
{
	put_aside(q->replay);
	buf_fini(&q->replay->last.rec);
}

/* ---- recipients --------------------------------------------------------- */

static bool
get_rcpt(struct qmgr *q, uint32_t msg, uint16_t ordinal, struct core_rcpt *out)
{
	struct core_rcpt_view few[64];
	struct core_rcpt_view *all = few;
	uint32_t n = core_message_rcpts(q->core, msg, few, array_len(few));
	bool is_found = false;

	if (n > array_len(few)) {
		all = mem_alloc(n * sizeof(*all));
		n = core_message_rcpts(q->core, msg, all, n);
	}
	for (uint32_t i = 0; i < n && !is_found; i++) {
		if (all[i].r.ordinal == ordinal) {
			*out = all[i].r;
			is_found = true;
		}
	}
	if (all != few) {
		free(all);
	}
	return is_found;
}

static void
set_rcpt(struct qmgr *q, uint32_t msg, const struct core_rcpt *r)
{
	(void)core_replay(q->core, msg, r); /* final before: nothing to do */
}

static void
on_deferral(struct qmgr *q, uint32_t msg, const struct event_deferral *e)
{
	struct core_rcpt r;

	if (!get_rcpt(q, msg, e->rcpt, &r) || e->attempt < r.attempts) {
		return;
	}
	r.attempts = (uint16_t)e->attempt;
	r.due_s = (uint32_t)(e->next_try_us / US_PER_S);
	r.is_held = false;
	set_rcpt(q, msg, &r);
	notes_at(q->notes, msg)->reason =
	    notes_reason_number(q->notes, e->smtp_text);
}

static void
on_held(struct qmgr *q, uint32_t msg, uint16_t ordinal)
{
	struct core_rcpt r;

	if (get_rcpt(q, msg, ordinal, &r)) {
		r.is_held = true;
		set_rcpt(q, msg, &r);
	}
}

static void
on_released(struct qmgr *q, uint32_t msg, const struct event_released *e)
{
	struct core_rcpt r;

	if (get_rcpt(q, msg, e->rcpt, &r)) {
		r.is_held = false;
		r.due_s = (uint32_t)(e->next_try_us / US_PER_S);
		set_rcpt(q, msg, &r);
	}
}

void
replay_forget(struct qmgr *q, uint32_t msg)
{
	uint64_t big = notes_big(q->notes, msg);
	char path[SEG_PATH_SIZE];

	if (big != 0) {
		big_path(big, path);
		disk_remove_lazily(q->disk, path);
	}
	notes_clear(q->notes, msg);
}

static void
on_final(struct qmgr *q, uint32_t msg, uint16_t ordinal)
{
	uint32_t left = core_message_rcpts(q->core, msg, NULL, 0);
	struct core_rcpt r;

	if (!get_rcpt(q, msg, ordinal, &r)) {
		return;
	}
	if (left == 1 && !(notes_at(q->notes, msg)->flags & NOTE_DSN)) {
		replay_forget(q, msg);
	}
	(void)core_replay_final(q->core, msg, ordinal);
}

/* ---- dispatch ----------------------------------------------------------- */

/* Events after which the recipient is forgotten, whatever else they say. */
static bool
is_final(unsigned type)
{
	switch (type) {
	case EVENT_delivery:
	case EVENT_bounce:
	case EVENT_soft_bounce:
	case EVENT_blocked:
	case EVENT_deleted:
		return true;
	default:
		return false;
	}
}

static void
on_message_fact(struct qmgr *q, unsigned type, const void *event, uint32_t msg,
    uint16_t ordinal)
{
	switch (type) {
	case EVENT_deferral:
		on_deferral(q, msg, event);
		break;
	case EVENT_held:
		on_held(q, msg, ordinal);
		break;
	case EVENT_released:
		on_released(q, msg, event);
		break;
	case EVENT_dsn_pending:
		dsn_restore(
		    q, msg, ((const struct event_dsn_pending *)event)->item);
		break;
	case EVENT_dsn_written:
		dsn_restore_written(q, msg, ordinal,
		    ((const struct event_dsn_written *)event)->action);
		break;
	default:
		break; /* tells tenants something, changes nothing */
	}
}

static void
on_intake(struct qmgr *q, const struct event_intake *e)
{
	struct seg *g = segs_add(q->segs, e->segid);

	g->off = e->off;
	if (e->is_sealed) {
		g->is_sealed = true;
		g->is_read = true;
	}
}

static void
on_segment_removed(struct qmgr *q, const struct event_segment_removed *e)
{
	struct seg *g = segs_add(q->segs, e->segid);

	g->is_sealed = true;
	g->is_read = true;
	g->is_removed_before = true;
}

static void
on_spool_damaged(struct qmgr *q, const struct event_spool_damaged *e)
{
	if (e->segid != 0) {
		segs_add(q->segs, e->segid)->is_damaged = true;
	}
}

static void
on_other(struct qmgr *q, unsigned type, const void *event)
{
	switch (type) {
	case EVENT_stored:
		on_stored(q, event);
		break;
	case EVENT_intake:
		on_intake(q, event);
		break;
	case EVENT_segment_removed:
		on_segment_removed(q, event);
		break;
	case EVENT_spool_damaged:
		on_spool_damaged(q, event);
		break;
	case EVENT_tls_site:
		tls_learn_restore(q, event);
		break;
	case EVENT_path_state:
		paths_restore(q, event);
		break;
	case EVENT_source_used:
		source_used_restore(q, event);
		break;
	case EVENT_quota_used: {
		const struct event_quota_used *e = event;

		core_quota_set(q->core, e->account, e->subaccount,
		    (uint32_t)(e->hour_us / (3600 * US_PER_S)), e->used);
		break;
	}
	default:
		break;
	}
}

void
replay_record(struct qmgr *q, const struct plog_record *rec, uint64_t lsn)
{
	uint64_t space[EVENT_STRUCT_MAX / sizeof(uint64_t)];
	struct event_common c;
	uint32_t msg;

	if (rec->type == EVENT_accepted) {
		on_accepted(q, rec, lsn);
		return;
	}
	if (event_peek(rec->type, rec->rec, &c)) {
		if (rec->type == EVENT_consumed) {
			reports_restore_consumed(q, &c.msgid);
			return;
		}
		source_used_replay(q, rec->type, rec->rec);
		msg = core_find(q->core, &c.msgid);
		if (msg != CORE_NONE && is_final(rec->type)) {
			on_final(q, msg, c.rcpt);
		} else if (msg != CORE_NONE &&
		    event_decode(rec->type, rec->rec.p, rec->rec.len, space) ==
			0) {
			on_message_fact(q, rec->type, space, msg, c.rcpt);
		}
		return;
	}
	if (event_decode(rec->type, rec->rec.p, rec->rec.len, space) == 0) {
		on_other(q, rec->type, space);
	}
}
