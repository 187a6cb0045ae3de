#include <errno.h>

#include "buf.h"
#include "core_impl.h"

#define SWEEP_SLICE 16384u

uint64_t
message_lsn(const struct msg *m)
{
	return (uint64_t)m->lsn_high << 32 | m->lsn_low;
}

/* Units of 16 KiB in 8 bits: exact below 2 MB, in steps of 256 KB above. */
uint8_t
cost_encode(uint64_t size)
{
	uint64_t units = 1 + size / 16384;

	if (units < 128) {
		return (uint8_t)units;
	}
	units = 128 + (units - 128) / 16;
	return units > 255 ? 255 : (uint8_t)units;
}

uint32_t
cost_decode(uint8_t cost)
{
	return cost < 128 ? cost : 128 + (cost - 128u) * 16;
}

/* ---- segments -------------------------------------------------------------
 */

static uint32_t
segment_find(const struct core *core, uint64_t segid)
{
	const struct htab *h = &core->segment_by_id;
	uint32_t i = htab_first(h, mix64(segid ^ h->seed));

	while (i != NIL && segment_at(core, i)->segid != segid) {
		i = htab_next(h, i);
	}
	return i;
}

static uint32_t
segment_get(struct core *core, uint64_t segid)
{
	uint32_t i = segment_find(core, segid);

	if (i != NIL) {
		return i;
	}
	i = slab_alloc(&core->segments);
	if (i != NIL) {
		segment_at(core, i)->segid = segid;
		htab_add(&core->segment_by_id, i);
	}
	return i;
}

static void
segment_count(struct core *core, uint32_t segment, const struct msg *m, int n)
{
	struct segment *s = segment_at(core, segment);
	uint64_t bytes = (uint64_t)m->rec_len + m->content_len;

	if (n > 0) {
		s->live++;
		s->bytes += bytes;
		return;
	}
	s->live--;
	s->bytes -= bytes;
	if (s->live == 0 && !s->is_listed) {
		s->is_listed = true;
		list_push(&core->empty, empty_kin(core), segment);
	}
}

/* A segment is forgotten when its end is told; new mail in it remembers it. */
bool
segment_next_empty(struct core *core, struct core_out *out)
{
	uint32_t i;

	while ((i = list_pop(&core->empty, empty_kin(core))) != NIL) {
		struct segment *s = segment_at(core, i);

		s->is_listed = false;
		if (s->live == 0) {
			out->kind = CORE_SEGMENT_EMPTY;
			out->segid = s->segid;
			htab_del(&core->segment_by_id, i);
			slab_free(&core->segments, i);
			return true;
		}
	}
	return false;
}

void
core_segment_get(
    const struct core *core, uint64_t segid, struct core_segment_view *v)
{
	uint32_t i = segment_find(core, segid);

	*v = (struct core_segment_view){ .segid = segid };
	if (i != NIL) {
		v->messages = segment_at(core, i)->live;
		v->bytes = segment_at(core, i)->bytes;
	}
}

bool
core_segment_next(
    const struct core *core, uint32_t *at, struct core_segment_view *v)
{
	while (++*at < core->segments.used) {
		const struct segment *s = segment_at(core, *at);

		if (s->live > 0) {
			*v = (struct core_segment_view){ .segid = s->segid,
				.messages = s->live,
				.bytes = s->bytes };
			return true;
		}
	}
	return false;
}

/* ---- the end of a message --------------------------------------------------
 */

static void
message_free(struct core *core, uint32_t msg)
{
	struct msg *m = msg_at(core, msg);

	segment_count(core, m->segment, m, -1);
	htab_del(&core->msg_by_id, msg);
	slab_free(&core->msgs, msg);
}

void
message_settle(struct core *core, uint32_t msg)
{
	struct msg *m = msg_at(core, msg);

	if (m->live > 0 || m->is_done || (m->flags & CORE_PINNED) != 0) {
		return;
	}
	if (!core->is_started) {
		message_free(core, msg);
		return;
	}
	m->is_done = 1;
	m->rcpts = NIL;
	if (core->done == NIL) {
		core->done = msg;
	} else {
		msg_at(core, core->done_last)->rcpts = msg;
	}
	core->done_last = msg;
}

bool
message_next_done(struct core *core, struct core_out *out)
{
	while (core->done != NIL) {
		uint32_t msg = core->done;
		struct msg *m = msg_at(core, msg);

		core->done = m->rcpts;
		m->rcpts = NIL;
		m->is_done = 0;
		if ((m->flags & CORE_PINNED) == 0) {
			out->kind = CORE_MESSAGE_DONE;
			message_out(core, msg, out);
			message_free(core, msg);
			return true;
		}
	}
	return false;
}

/* ---- looking and changing ----------------------------------------------- */

static struct core_place
message_place(const struct core *core, const struct msg *m)
{
	return (struct core_place){
		.segid = segment_at(core, m->segment)->segid,
		.rec_off = m->rec_off,
		.rec_len = m->rec_len,
		.content_off = m->content_off,
		.content_len = m->content_len,
		.content_crc = m->content_crc,
	};
}

void
message_out(const struct core *core, uint32_t msg, struct core_out *out)
{
	const struct msg *m = msg_at(core, msg);
	const struct flow *f = flow_at(core, m->flow);
	const struct tenant *t = tenant_at(core, f->tenant);

	out->msg = msg;
	out->id = m->id;
	out->accept_lsn = message_lsn(m);
	out->place = message_place(core, m);
	out->account = t->account;
	out->subaccount = t->sub;
}

static bool
is_message(const struct core *core, uint32_t msg)
{
	return msg != NIL && msg < core->msgs.used &&
	    msg_at(core, msg)->is_used != 0;
}

int
core_message_get(const struct core *core, uint32_t msg, struct core_message *m,
    uint32_t *nrcpt)
{
	const struct msg *from;
	const struct flow *f;

	if (!is_message(core, msg)) {
		return -ENOENT;
	}
	from = msg_at(core, msg);
	f = flow_at(core, from->flow);
	*m = (struct core_message){
		.id = from->id,
		.account = tenant_at(core, f->tenant)->account,
		.subaccount = tenant_at(core, f->tenant)->sub,
		.pool = f->pool,
		.class = (enum core_class)from->class,
		.flags = from->flags,
		.accept_lsn = message_lsn(from),
		.expiry_s = from->expiry_s,
		.size = (cost_decode((uint8_t)from->cost) - 1) * 16384ULL,
		.place = message_place(core, from),
	};
	*nrcpt = from->live;
	return 0;
}

uint32_t
core_find(const struct core *core, const struct uuid *id)
{
	const struct htab *h = &core->msg_by_id;
	/* An id may stand at any address, a message may not. */
	const struct msg key = { .id = *id };
	uint32_t i = htab_first(h, h->hash(&key, h->seed));

	while (i != NIL && !uuid_eq(&msg_at(core, i)->id, id)) {
		i = htab_next(h, i);
	}
	return i == NIL ? CORE_NONE : i;
}

void
core_set_lsn(struct core *core, uint32_t msg, uint64_t accept_lsn)
{
	bug_on(!is_message(core, msg));
	msg_at(core, msg)->lsn_low = (uint32_t)accept_lsn;
	msg_at(core, msg)->lsn_high = (uint16_t)(accept_lsn >> 32);
	if (accept_lsn != 0) {
		rcpts_are_ready(core, msg);
	}
}

void
core_pin(struct core *core, uint32_t msg, bool pin)
{
	struct msg *m = msg_at(core, msg);

	bug_on(!is_message(core, msg));
	if (pin) {
		m->flags |= CORE_PINNED;
		return;
	}
	m->flags = m->flags & (CORE_MSG_FLAGS ^ CORE_PINNED);
	message_settle(core, msg);
}

static void
set_place(struct msg *m, const struct core_place *p)
{
	m->rec_off = p->rec_off;
	m->rec_len = p->rec_len & 0xffffff;
	m->content_off = p->content_off;
	m->content_len = p->content_len;
	m->content_crc = p->content_crc;
}

int
core_move(struct core *core, uint32_t msg, const struct core_place *to)
{
	struct msg *m = msg_at(core, msg);
	uint32_t segment;

	bug_on(!is_message(core, msg));
	if (to->rec_len >> 24 != 0) {
		return -EINVAL;
	}
	segment = segment_get(core, to->segid);
	if (segment == NIL) {
		return -ENOSPC;
	}
	segment_count(core, m->segment, m, -1);
	m->segment = segment & 0xffffff;
	set_place(m, to);
	segment_count(core, segment, m, 1);
	return 0;
}

/* ---- arrival
 * ----------------------------------------------------------------- */

static int
check(const struct core *core, const struct core_message *m,
    const struct core_rcpt *rcpts, uint32_t n)
{
	if (m->place.rec_len >> 24 != 0 || (unsigned)m->class > CORE_DIGEST ||
	    m->pool >= CORE_SOURCES || m->accept_lsn >> 48 != 0 ||
	    (m->flags & ~CORE_MSG_FLAGS) != 0 || n > UINT16_MAX ||
	    (n == 0 && (m->flags & CORE_PINNED) == 0)) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (rcpts[i].domain >= core->domains.used ||
		    domain_at(core, rcpts[i].domain)->name.p == NULL) {
			return -EINVAL;
		}
	}
	if (core->rcpts.max - core->rcpts.live < n ||
	    core->msgs.max == core->msgs.live) {
		return -ENOSPC;
	}
	return 0;
}

static int
message_new(struct core *core, const struct core_message *from, uint32_t *msg)
{
	uint32_t tenant = tenant_get(core, from->account, from->subaccount);
	uint32_t flow =
	    tenant == NIL ? NIL : flow_get(core, tenant, from->pool);
	uint32_t segment = segment_get(core, from->place.segid);
	struct msg *m;

	if (flow == NIL || segment == NIL) {
		return -ENOSPC;
	}
	*msg = slab_alloc(&core->msgs);
	m = msg_at(core, *msg);
	m->id = from->id;
	m->flow = flow;
	m->segment = segment & 0xffffff;
	m->cost = cost_encode(from->size);
	m->expiry_s = from->expiry_s;
	m->class = from->class & 3;
	m->flags = from->flags & 7;
	m->is_used = 1;
	set_place(m, &from->place);
	core_set_lsn(core, *msg, from->accept_lsn);
	htab_add(&core->msg_by_id, *msg);
	segment_count(core, segment, m, 1);
	return 0;
}

/* Recipients of one domain stand together, so that they can share a job. */
static int
by_domain(const void *a, const void *b)
{
	const struct core_rcpt *x = a;
	const struct core_rcpt *y = b;

	if (x->domain != y->domain) {
		return x->domain < y->domain ? -1 : 1;
	}
	return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static bool
is_sorted(const struct core_rcpt *rcpts, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		if (by_domain(&rcpts[i - 1], &rcpts[i]) > 0) {
			return false;
		}
	}
	return true;
}

static int
add(struct core *core, const struct core_message *m,
    const struct core_rcpt *rcpts, uint32_t n, uint32_t *msg)
{
	autofree struct core_rcpt *sorted = NULL;
	int r = check(core, m, rcpts, n);

	if (r == 0) {
		r = message_new(core, m, msg);
	}
	if (r != 0) {
		return r;
	}
	if (!is_sorted(rcpts, n)) {
		sorted = mem_dup(rcpts, n * sizeof(*rcpts));
		qsort(sorted, n, sizeof(*sorted), by_domain);
		rcpts = sorted;
	}
	for (uint32_t i = 0; i < n; i++) {
		rcpt_new(core, *msg, &rcpts[i]);
	}
	return 0;
}

int
core_add(struct core *core, const struct core_message *m,
    const struct core_rcpt *rcpts, uint32_t n, uint32_t *msg)
{
	uint32_t there = core_find(core, &m->id);

	if (there != CORE_NONE) {
		*msg = there;
		return -EEXIST;
	}
	return add(core, m, rcpts, n, msg);
}

int
core_restore(struct core *core, const struct core_message *m,
    const struct core_rcpt *rcpts, uint32_t n, uint32_t *msg)
{
	bug_on(core->is_started);
	return add(core, m, rcpts, n, msg);
}

void
core_expect(struct core *core, uint32_t messages)
{
	htab_expect(&core->msg_by_id, messages);
}

/* ---- expiry
 * -------------------------------------------------------------------- */

static void
expire(struct core *core, const struct msg *m)
{
	uint32_t i = m->rcpts;

	for (uint32_t n = m->live; n > 0; n--) {
		const struct rcpt *r = rcpt_at(core, i);
		uint32_t next = r->sibling;

		if (r->state <= CORE_RCPT_READY) {
			rcpt_unlink(core, i);
			rcpt_end(core, i, END_EXPIRED);
		}
		i = next;
	}
}

/*
 * Whatever holds a message back, it expires: instead of a timer for each,
 * all are looked at once a minute, a part of them in each turn.
 */
bool
message_sweep(struct core *core)
{
	uint64_t age = core->now_us - core->sweep_us;
	uint64_t until = core->msgs.used;
	uint32_t n = SWEEP_SLICE;

	if (age < SWEEP_US) {
		until = until * age / SWEEP_US;
	}
	for (; core->sweep_at < until && n > 0; core->sweep_at++, n--) {
		const struct msg *m = msg_at(core, core->sweep_at);

		if (m->is_used && m->expiry_s <= core->now_s && m->live > 0) {
			expire(core, m);
		}
	}
	if (age >= SWEEP_US && core->sweep_at >= core->msgs.used) {
		/* After a long silence once more: part of this round was
		 * before it. */
		core->sweep_us = age < 2 * SWEEP_US ? core->sweep_us + SWEEP_US
						    : core->now_us - SWEEP_US;
		core->sweep_at = 1;
		return core->sweep_us != core->now_us;
	}
	return core->sweep_at < until;
}
