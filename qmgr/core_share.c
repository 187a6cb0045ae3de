#include "core_impl.h"

/*
 * Deficit round robin (Shreedhar and Varghese 1995), in the form that serves
 * whoever has credit left and lets one transaction overdraw it: so nobody's
 * next cost need be known. One level shares a ring among accounts, the next
 * an account's part among its subaccounts; below, classes share by count.
 */

static const uint8_t class_shares[CLASSES] = {
	[CORE_PRIORITY] = 8,
	[CORE_STANDARD] = 4,
	[CORE_DIGEST] = 2,
	[CLASS_RETRY] = 1,
};

/* A list of queues that share something. */
struct level {
	uint32_t *active;
	const uint32_t *n;
	const struct ring *ring; /* whose connections are shared; or NULL */
};

/*
 * Nobody holds more than 3/2 of its share of the connections while others
 * wait, so that a tenant whose mail hangs leaves room.
 */
static bool
is_capped(const struct level *l, const struct fq *q)
{
	uint64_t cap;

	if (l->ring == NULL || *l->n == 1) {
		return false;
	}
	cap = 3ULL * q->weight * l->ring->window / (2ULL * l->ring->weight);
	return q->inflight >= (cap < 2 ? 2 : cap);
}

/* Whether the queue's tenant may go; else it waits at its gate now. */
static bool
passes(struct core *core, uint32_t i)
{
	const struct fq *q = fq_at(core, i);
	const struct tenant *t = tenant_at(core, q->tenant);
	uint64_t until_us;
	bool on_quota;

	if (q->is_leaf && t->sub == 0) {
		return true; /* its account was asked */
	}
	if (!gate_is_open(core, t->gate, &until_us, &on_quota)) {
		fq_park(core, i, until_us, on_quota);
		return false;
	}
	if (gate_at(core, t->gate)->waiters != NIL && !q->is_ticketed) {
		fq_park(core, i, 0, false);
		return false;
	}
	return true;
}

static bool
has_turn(const struct level *l, struct fq *q)
{
	if (q->deficit <= 0) {
		q->deficit += (int32_t)q->weight;
		if (*l->n == 1 && q->deficit <= 0) {
			q->deficit = 1; /* nobody to be fair to */
		}
	}
	return q->deficit > 0;
}

static void
rotate(const struct core *core, const struct level *l)
{
	*l->active = link_at(fq_kin(core), *l->active)->next;
}

/* Nobody had credit left in a whole round: all rounds that would pass until
 * somebody has, at once. */
static void
pass_rounds(const struct core *core, const struct level *l)
{
	int32_t rounds = INT32_MAX;

	for (uint32_t i = *l->active; i != NIL;
	     i = list_next(*l->active, fq_kin(core), i)) {
		const struct fq *q = fq_at(core, i);
		int32_t need = -q->deficit / (int32_t)q->weight;

		if (!is_capped(l, q) && need < rounds) {
			rounds = need;
		}
	}
	for (uint32_t i = *l->active; i != NIL;
	     i = list_next(*l->active, fq_kin(core), i)) {
		struct fq *q = fq_at(core, i);

		if (!is_capped(l, q)) {
			q->deficit += rounds * (int32_t)q->weight;
		}
	}
}

static uint32_t
pick(struct core *core, const struct level *l)
{
	uint32_t seen = 0;
	uint32_t poor = 0;

	while (*l->n > 0) {
		uint32_t i = *l->active;
		struct fq *q = fq_at(core, i);

		if (seen == *l->n) {
			if (poor == 0) {
				return NIL;
			}
			pass_rounds(core, l);
			seen = 0;
			poor = 0;
		}
		if (!passes(core, i)) {
			seen = 0;
			poor = 0;
			continue;
		}
		if (is_capped(l, q)) {
			seen++;
		} else if (has_turn(l, q)) {
			return i;
		} else {
			seen++;
			poor++;
		}
		rotate(core, l);
	}
	return NIL;
}

static uint32_t
pick_class(struct fq *q)
{
	for (uint32_t c = 0; c < CLASSES; c++) {
		if (q->fifo[c] != NIL && q->credit[c] > 0) {
			return c;
		}
	}
	for (uint32_t c = 0; c < CLASSES; c++) {
		q->credit[c] = class_shares[c];
	}
	for (uint32_t c = 0; c < CLASSES; c++) {
		if (q->fifo[c] != NIL) {
			return c;
		}
	}
	bug_on(true);
}

static void
charge(
    const struct core *core, const struct level *l, struct fq *q, uint32_t cost)
{
	q->is_ticketed = false;
	q->deficit -= (int32_t)(cost * DEFICIT_UNIT);
	if (q->deficit <= 0) {
		rotate(core, l);
	}
}

bool
share_pick(struct core *core, uint32_t ring, uint32_t *leaf, uint32_t *class)
{
	struct ring *r = ring_at(core, ring);
	struct level accounts = { &r->active, &r->nactive, r };
	uint32_t i;

	while ((i = pick(core, &accounts)) != NIL) {
		struct fq *account = fq_at(core, i);
		struct level leaves = { &account->active, &account->nactive,
			NULL };
		uint32_t l = pick(core, &leaves);

		if (l != NIL) {
			struct fq *q = fq_at(core, l);
			const struct msg *m;

			*leaf = l;
			*class = pick_class(q);
			m = msg_at(core, rcpt_at(core, q->fifo[*class])->msg);
			q->credit[*class]--;
			charge(core, &leaves, q, cost_decode(m->cost));
			charge(core, &accounts, account, cost_decode(m->cost));
			return true;
		}
	}
	return false;
}
