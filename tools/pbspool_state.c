/*
 * The rules are those of qmgr's replay, for the little that is kept here:
 * facts are absolute, the final one wins, and a message ends with its last
 * recipient unless a notification is due.
 */
#include "pbspool_state.h"

#include <errno.h>
#include <string.h>

#include "ckp.h"
#include "dsn.h"
#include "event.h"
#include "event_id.h"
#include "journal.h"
#include "map.h"

#define RCPTS_MAX 65536u
/* The smallest encoded recipient of a checkpoint, bytes: its fixed part. */
#define CKP_RCPT_FIXED 10

/* An accepted record whose place has not been read. */
struct pending {
	uint64_t lsn;
	struct uuid id;
	uint32_t nrcpt;
	bool is_inbound;
};

struct pbspool_state {
	struct map *messages; /* by id: struct pbspool_message */
	struct map *segments; /* by segid */
	struct map *dsns;     /* (id, ordinal) of notifications that are due */
	struct map *orphans;  /* by id: struct pending */
	struct map *journals; /* numbers that events refer to */
	struct pending last;  /* lsn 0: none */
	uint64_t unknown;
	/* of the checkpoint that is read: */
	uint64_t ckp_records;
	uint64_t start_lsn;
	bool has_begin;
	bool has_end;
};

static void
make_maps(struct pbspool_state *s)
{
	s->messages = map_new();
	s->segments = map_new();
	s->dsns = map_new();
	s->orphans = map_new();
	s->journals = map_new();
}

static void
free_maps(struct pbspool_state *s)
{
	map_free(&s->messages, free);
	map_free(&s->segments, free);
	map_free(&s->dsns, NULL);
	map_free(&s->orphans, free);
	map_free(&s->journals, free);
}

struct pbspool_state *
pbspool_state_new(void)
{
	struct pbspool_state *s = mem_alloc(sizeof(*s));

	make_maps(s);
	return s;
}

void
pbspool_state_free(struct pbspool_state **sp)
{
	if (*sp != NULL) {
		free_maps(*sp);
		free(*sp);
		*sp = NULL;
	}
}

static struct str
key_of(const struct uuid *id)
{
	return (struct str){ (const char *)id->b, sizeof(id->b) };
}

/* ---- messages ----------------------------------------------------------- */

struct pbspool_message *
pbspool_state_find(const struct pbspool_state *s, const struct uuid *id)
{
	return map_get(s->messages, key_of(id));
}

bool
pbspool_message_is_open(const struct pbspool_message *m, uint32_t rcpt)
{
	return rcpt < m->n_ordinals && m->open[rcpt / 8] >> rcpt % 8 & 1;
}

static void
set_open(struct pbspool_message *m, uint32_t rcpt)
{
	if (rcpt < m->n_ordinals && !pbspool_message_is_open(m, rcpt)) {
		m->open[rcpt / 8] |= (uint8_t)(1u << rcpt % 8);
		m->n_open++;
	}
}

/* Not alive before; n ordinals, none of them open. */
static struct pbspool_message *
add_message(struct pbspool_state *s, const struct uuid *id, uint32_t n)
{
	struct pbspool_message *m = mem_alloc(sizeof(*m) + (n + 7) / 8);

	m->id = *id;
	m->n_ordinals = n;
	bug_on(map_put(s->messages, key_of(id), m) != NULL);
	return m;
}

static void
end_message(struct pbspool_state *s, struct pbspool_message *m)
{
	free(map_del(s->messages, key_of(&m->id)));
}

static void
end_if_over(struct pbspool_state *s, struct pbspool_message *m)
{
	if (m->n_open == 0 && m->n_dsns == 0 && !m->is_inbound) {
		end_message(s, m);
	}
}

static struct pbspool_segment *
segment(struct pbspool_state *s, uint64_t segid)
{
	struct pbspool_segment *g = map_get_u64(s->segments, segid);

	if (g == NULL) {
		g = mem_alloc(sizeof(*g));
		g->segid = segid;
		(void)map_put_u64(s->segments, segid, g);
	}
	return g;
}

static void
set_place(struct pbspool_message *m, const struct event_stored *e)
{
	m->segid = e->segid;
	m->rec_off = e->rec_off;
	m->content_off = e->content_off;
	m->content_len = e->content_len;
}

static void
add_pending(struct pbspool_state *s, const struct pending *p,
    const struct event_stored *e)
{
	struct pbspool_message *m;

	if (pbspool_state_find(s, &p->id) != NULL) {
		return; /* the checkpoint has it, or it stands here twice */
	}
	m = add_message(s, &p->id, p->is_inbound ? 0 : p->nrcpt);
	m->accept_lsn = p->lsn;
	m->is_inbound = p->is_inbound;
	for (uint32_t i = 0; i < m->n_ordinals; i++) {
		set_open(m, i);
	}
	set_place(m, e);
}

static void
put_aside(struct pbspool_state *s)
{
	if (s->last.lsn != 0) {
		free(map_put(s->orphans, key_of(&s->last.id),
		    mem_dup(&s->last, sizeof(s->last))));
		s->last.lsn = 0;
	}
}

static void
on_accepted(
    struct pbspool_state *s, const struct event_accepted *e, uint64_t lsn)
{
	put_aside(s);
	if (e->nrcpt == 0 || e->nrcpt >= RCPTS_MAX) {
		s->unknown++;
		return;
	}
	s->last = (struct pending){ lsn, e->msgid, e->nrcpt, e->inbound != 0 };
}

static void
on_stored(struct pbspool_state *s, const struct event_stored *e)
{
	struct pbspool_message *m;
	struct pending *p;

	if (e->accept_lsn == 0) {
		if (s->last.lsn != 0 && uuid_eq(&s->last.id, &e->msgid)) {
			add_pending(s, &s->last, e);
			s->last.lsn = 0;
		}
		return;
	}
	m = pbspool_state_find(s, &e->msgid);
	if (m != NULL) {
		set_place(m, e);
		return;
	}
	put_aside(s);
	p = map_del(s->orphans, key_of(&e->msgid));
	if (p != NULL) {
		add_pending(s, p, e);
		free(p);
	}
}

/* ---- recipients and notifications --------------------------------------- */

static void
on_final(struct pbspool_state *s, struct pbspool_message *m, uint32_t rcpt)
{
	if (pbspool_message_is_open(m, rcpt)) {
		m->open[rcpt / 8] &= (uint8_t) ~(1u << rcpt % 8);
		m->n_open--;
		end_if_over(s, m);
	}
}

/* A notification's key: the message's id, the recipient, what it tells. */
struct dsn_key {
	uint8_t b[sizeof(struct uuid) + sizeof(uint16_t) + 1];
};

static struct str
dsn_key(const struct uuid *id, uint16_t rcpt, uint8_t action, struct dsn_key *k)
{
	memcpy(k->b, id->b, sizeof(id->b));
	memcpy(k->b + sizeof(id->b), &rcpt, sizeof(rcpt));
	k->b[sizeof(k->b) - 1] = action;
	return (struct str){ (const char *)k->b, sizeof(k->b) };
}

static void
on_dsn_pending(struct pbspool_state *s, struct pbspool_message *m,
    const struct dsn_item *item)
{
	struct dsn_key k;

	if (map_put(s->dsns, dsn_key(&m->id, item->rcpt, item->action, &k),
		s) == NULL) {
		m->n_dsns++;
	}
}

static void
on_dsn_written(struct pbspool_state *s, struct pbspool_message *m,
    const struct event_dsn_written *e)
{
	struct dsn_key k;

	if (map_del(s->dsns, dsn_key(&m->id, e->rcpt, e->action, &k)) != NULL) {
		m->n_dsns--;
		end_if_over(s, m);
	}
}

static void
on_message_fact(struct pbspool_state *s, unsigned type,
    const struct event_common *c, const void *event)
{
	struct pbspool_message *m = pbspool_state_find(s, &c->msgid);
	struct dsn_item item;
	struct str items;

	if (m == NULL) {
		return;
	}
	switch (type) {
	case EVENT_delivery:
	case EVENT_bounce:
	case EVENT_soft_bounce:
	case EVENT_blocked:
	case EVENT_deleted:
		on_final(s, m, c->rcpt);
		break;
	case EVENT_consumed:
		if (m->is_inbound) {
			end_message(s, m);
		}
		break;
	case EVENT_dsn_pending:
		items = ((const struct event_dsn_pending *)event)->item;
		if (dsn_item_next(&items, &item)) {
			on_dsn_pending(s, m, &item);
		}
		break;
	case EVENT_dsn_written:
		on_dsn_written(s, m, event);
		break;
	default:
		break; /* changes nothing that is kept here */
	}
}

/* ---- events ------------------------------------------------------------- */

static void
on_intake(struct pbspool_state *s, const struct event_intake *e)
{
	struct pbspool_segment *g = segment(s, e->segid);

	g->off = e->off;
	g->is_read = g->is_read || e->is_sealed;
}

static void
on_other(struct pbspool_state *s, unsigned type, const void *event)
{
	const struct event_segment_removed *removed = event;
	const struct event_spool_damaged *damaged = event;

	switch (type) {
	case EVENT_stored:
		on_stored(s, event);
		break;
	case EVENT_intake:
		on_intake(s, event);
		break;
	case EVENT_segment_removed:
		segment(s, removed->segid)->is_removed = true;
		break;
	case EVENT_spool_damaged:
		if (damaged->segid != 0) {
			segment(s, damaged->segid)->is_damaged = true;
		}
		break;
	default:
		break;
	}
}

static void
refer(struct pbspool_state *s, uint64_t accept_lsn)
{
	uint32_t number = journal_lsn_number(accept_lsn);
	uint32_t *n;

	if (accept_lsn == 0 || map_get_u64(s->journals, number) != NULL) {
		return;
	}
	n = mem_dup(&number, sizeof(number));
	(void)map_put_u64(s->journals, number, n);
}

void
pbspool_state_record(
    struct pbspool_state *s, const struct plog_record *rec, uint64_t lsn)
{
	uint64_t space[EVENT_STRUCT_MAX / sizeof(uint64_t)];
	struct event_common c;

	if (event_decode(rec->type, rec->rec.p, rec->rec.len, space) < 0) {
		s->unknown++;
		return;
	}
	if (rec->type == EVENT_accepted) {
		on_accepted(s, (const void *)space, lsn);
	} else if (event_peek(rec->type, rec->rec, &c)) {
		refer(s, c.accept_lsn);
		on_message_fact(s, rec->type, &c, space);
	} else {
		on_other(s, rec->type, space);
	}
}

/* ---- checkpoints -------------------------------------------------------- */

static bool
take(struct str *from, void *dst, size_t n)
{
	if (from->len < n) {
		return false;
	}
	memcpy(dst, from->p, n);
	from->p += n;
	from->len -= n;
	return true;
}

/* Takes a recipient off rcpts; only its number counts here. */
static bool
take_rcpt(struct str *rcpts, uint16_t *ordinal)
{
	uint8_t rest[CKP_RCPT_FIXED - sizeof(*ordinal)];
	uint8_t domain_len;

	if (!take(rcpts, ordinal, sizeof(*ordinal)) ||
	    !take(rcpts, rest, sizeof(rest))) {
		return false;
	}
	domain_len = rest[sizeof(rest) - 1];
	if (rcpts->len < domain_len) {
		return false;
	}
	rcpts->p += domain_len;
	rcpts->len -= domain_len;
	return true;
}

/* How many ordinals there must be for all of rcpts. 0: malformed. */
static uint32_t
count_ordinals(struct str rcpts)
{
	uint32_t n = 1;
	uint16_t ordinal;

	while (rcpts.len != 0) {
		if (!take_rcpt(&rcpts, &ordinal)) {
			return 0;
		}
		n = ordinal + 1u > n ? ordinal + 1u : n;
	}
	return n;
}

static int
on_ckp_message(struct pbspool_state *s, const struct ckp_message *c)
{
	uint32_t n = count_ordinals(c->rcpts);
	struct str rcpts = c->rcpts;
	struct str items = c->dsn;
	struct pbspool_message *m;
	struct dsn_item item;
	uint16_t ordinal;

	if (n == 0) {
		return -EBADMSG;
	}
	if ((rcpts.len == 0 && items.len == 0) ||
	    pbspool_state_find(s, &c->msgid) != NULL) {
		return 0; /* it ended while the checkpoint was written */
	}
	m = add_message(s, &c->msgid, n);
	m->accept_lsn = c->accept_lsn;
	m->segid = c->segid;
	m->rec_off = c->rec_off;
	m->content_off = c->content_off;
	m->content_len = c->content_len;
	while (take_rcpt(&rcpts, &ordinal)) {
		set_open(m, ordinal);
	}
	while (dsn_item_next(&items, &item)) {
		on_dsn_pending(s, m, &item);
	}
	refer(s, m->accept_lsn);
	end_if_over(s, m);
	return 0;
}

static void
on_ckp_report(struct pbspool_state *s, const struct ckp_report *c)
{
	struct pbspool_message *m;

	if (pbspool_state_find(s, &c->msgid) != NULL) {
		return;
	}
	m = add_message(s, &c->msgid, 0);
	m->accept_lsn = c->accept_lsn;
	m->segid = c->segid;
	m->rec_off = c->rec_off;
	m->content_off = c->content_off;
	m->content_len = c->content_len;
	m->is_inbound = true;
	refer(s, m->accept_lsn);
}

int
pbspool_state_checkpoint(struct pbspool_state *s, const struct plog_record *rec)
{
	union {
		struct ckp_begin begin;
		struct ckp_message message;
		struct ckp_report report;
		struct ckp_end end;
		uint8_t space[CKP_STRUCT_MAX];
	} u;
	int r = ckp_decode(rec->type, rec->rec, &u);

	if (r == -ENOENT) {
		pbspool_state_record(s, rec, 0);
		r = 0;
	} else if (r == 0 && rec->type == CKP_begin) {
		s->has_begin = true;
		s->start_lsn = u.begin.start_lsn;
	} else if (r == 0 && rec->type == CKP_message) {
		r = on_ckp_message(s, &u.message);
	} else if (r == 0 && rec->type == CKP_report) {
		on_ckp_report(s, &u.report);
	} else if (r == 0 && rec->type == CKP_end) {
		s->has_end = u.end.records == s->ckp_records;
	}
	s->ckp_records++;
	return r;
}

bool
pbspool_state_checkpoint_end(struct pbspool_state *s, uint64_t *start_lsn)
{
	bool is_whole = s->has_begin && s->has_end;

	if (is_whole) {
		*start_lsn = s->start_lsn;
	} else {
		free_maps(s);
		*s = (struct pbspool_state){ 0 };
		make_maps(s);
	}
	return is_whole;
}

/* ---- walking ------------------------------------------------------------ */

struct pbspool_message *
pbspool_state_next(const struct pbspool_state *s, size_t *at)
{
	struct str key;
	void *value;

	return map_next(s->messages, at, &key, &value) ? value : NULL;
}

struct pbspool_segment *
pbspool_state_segment(const struct pbspool_state *s, uint64_t segid)
{
	return map_get_u64(s->segments, segid);
}

struct pbspool_segment *
pbspool_state_segment_next(const struct pbspool_state *s, size_t *at)
{
	struct str key;
	void *value;

	return map_next(s->segments, at, &key, &value) ? value : NULL;
}

bool
pbspool_state_journal_next(
    const struct pbspool_state *s, size_t *at, uint32_t *number)
{
	struct str key;
	void *value;

	if (!map_next(s->journals, at, &key, &value)) {
		return false;
	}
	*number = *(const uint32_t *)value;
	return true;
}

uint64_t
pbspool_state_unknown(const struct pbspool_state *s)
{
	return s->unknown;
}
