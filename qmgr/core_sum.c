#include <stdlib.h>
#include <string.h>

#include "core_impl.h"

/* Sums and dumps of the lasting state, for tests of recovery. */

static uint64_t
fold(uint64_t h, uint64_t v)
{
	return mix64(h ^ (v + 0x9e3779b97f4a7c15ULL));
}

static uint64_t
rcpt_sum(const struct core *core, const struct core_rcpt_view *v)
{
	struct str domain = core_domain_name(core, v->r.domain);
	uint64_t h = fold(v->r.ordinal, v->r.attempts);

	h = fold(h, v->r.due_s);
	h = fold(h, v->r.is_held);
	return fold(h, hash_bytes(domain.p, domain.len, 0));
}

static uint64_t
message_sum(const struct core_message *m)
{
	const struct core_place *p = &m->place;
	const uint64_t values[] = { m->account, m->subaccount, m->pool,
		(uint64_t)m->class, m->flags, m->accept_lsn, m->expiry_s,
		m->size, p->segid, p->rec_off, p->rec_len, p->content_off,
		p->content_len, p->content_crc };
	uint64_t h = hash_bytes(&m->id, sizeof(m->id), 0);

	for (size_t i = 0; i < array_len(values); i++) {
		h = fold(h, values[i]);
	}
	return h;
}

/* The lasting part of a message; false: it is over. */
static bool
get(const struct core *core, uint32_t msg, struct core_message *m,
    struct core_rcpt_view **rcpts, uint32_t *n)
{
	if (!msg_at(core, msg)->is_used || msg_at(core, msg)->is_done ||
	    core_message_get(core, msg, m, n) != 0) {
		return false;
	}
	*rcpts = mem_alloc((*n + 1) * sizeof(**rcpts));
	(void)core_message_rcpts(core, msg, *rcpts, *n);
	return true;
}

static bool
counts(const struct core *core, const struct core_tenant_view *t)
{
	return t->quota_used > 0 && t->quota_hour == core->now_s / 3600;
}

uint64_t
core_sum(const struct core *core)
{
	struct core_tenant_view t;
	uint64_t sum = 0;
	uint32_t at = 0;

	for (uint32_t i = 1; i < core->msgs.used; i++) {
		autofree struct core_rcpt_view *rcpts = NULL;
		struct core_message m;
		uint32_t n;

		if (get(core, i, &m, &rcpts, &n)) {
			uint64_t h = 0;

			for (uint32_t k = 0; k < n; k++) {
				h += rcpt_sum(core, &rcpts[k]);
			}
			sum += fold(message_sum(&m), h);
		}
	}
	while (core_tenant_next(core, &at, &t)) {
		if (counts(core, &t)) {
			sum += fold(fold(t.account, t.subaccount),
			    fold(t.quota_hour, t.quota_used));
		}
	}
	return sum;
}

/* ---- text
 * ---------------------------------------------------------------------- */

static int
by_ordinal(const void *a, const void *b)
{
	const struct core_rcpt_view *x = a;
	const struct core_rcpt_view *y = b;

	return (x->r.ordinal > y->r.ordinal) - (x->r.ordinal < y->r.ordinal);
}

static void
dump_message(const struct core *core, uint32_t msg, struct buf *out)
{
	autofree struct core_rcpt_view *rcpts = NULL;
	struct core_message m;
	char id[UUID_TEXT_SIZE];
	uint32_t n;

	if (!get(core, msg, &m, &rcpts, &n)) {
		return;
	}
	uuid_print(&m.id, id);
	buf_printf(out,
	    "%s account=%u/%u pool=%u class=%d flags=%u lsn=%llu expiry=%u "
	    "segment=%llx record=%u+%u content=%u+%u crc=%08x\n",
	    id, m.account, m.subaccount, m.pool, (int)m.class, m.flags,
	    (unsigned long long)m.accept_lsn, m.expiry_s,
	    (unsigned long long)m.place.segid, m.place.rec_off, m.place.rec_len,
	    m.place.content_off, m.place.content_len, m.place.content_crc);
	qsort(rcpts, n, sizeof(*rcpts), by_ordinal);
	for (uint32_t i = 0; i < n; i++) {
		struct str d = core_domain_name(core, rcpts[i].r.domain);

		buf_printf(out, "\t%u domain=%.*s attempts=%u due=%u%s\n",
		    rcpts[i].r.ordinal, STR_ARG(d), rcpts[i].r.attempts,
		    rcpts[i].r.due_s, rcpts[i].r.is_held ? " held" : "");
	}
}

struct entry {
	struct uuid id;
	uint32_t msg;
};

static int
by_id(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	return memcmp(&x->id, &y->id, sizeof(x->id));
}

void
core_dump(const struct core *core, struct buf *out)
{
	autofree struct entry *all =
	    mem_alloc((core->msgs.live + 1) * sizeof(*all));
	struct core_tenant_view t;
	uint32_t at = 0;
	uint32_t n = 0;

	for (uint32_t i = 1; i < core->msgs.used; i++) {
		if (msg_at(core, i)->is_used) {
			all[n++] = (struct entry){ msg_at(core, i)->id, i };
		}
	}
	qsort(all, n, sizeof(*all), by_id);
	for (uint32_t i = 0; i < n; i++) {
		dump_message(core, all[i].msg, out);
	}
	while (core_tenant_next(core, &at, &t)) {
		if (counts(core, &t)) {
			buf_printf(out, "quota %u/%u hour=%u used=%u\n",
			    t.account, t.subaccount, t.quota_hour,
			    t.quota_used);
		}
	}
}
