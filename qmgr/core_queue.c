#include "core_impl.h"

static uint32_t
fq_get(struct core *core, uint32_t parent, uint32_t tenant, bool is_leaf)
{
	const struct htab *h = &core->fq_by_id;
	struct fq key = {
		.parent = parent, .tenant = tenant, .is_leaf = is_leaf
	};
	uint32_t i = htab_first(h, h->hash(&key, h->seed));

	while (i != NIL) {
		const struct fq *q = fq_at(core, i);

		if (q->parent == parent && q->tenant == tenant &&
		    q->is_leaf == is_leaf) {
			return i;
		}
		i = htab_next(h, i);
	}
	i = slab_alloc(&core->fqs);
	bug_on(i == NIL); /* one for each recipient at most */
	*fq_at(core, i) = key;
	htab_add(&core->fq_by_id, i);
	return i;
}

uint32_t
fq_account(struct core *core, uint32_t ring, uint32_t tenant)
{
	return fq_get(core, ring, tenant_at(core, tenant)->parent, false);
}

/* ---- in and out of the parent's list ----------------------------------------
 */

static void
join(struct core *core, uint32_t i)
{
	struct fq *q = fq_at(core, i);
	const struct tenant *t = tenant_at(core, q->tenant);

	q->state = FQ_ACTIVE;
	if (q->is_leaf) {
		struct fq *account = fq_at(core, q->parent);

		/* The account's own mail is one among its subaccounts'. */
		q->weight = t->sub == 0 ? CORE_WEIGHT_DEFAULT : t->weight;
		list_push(&account->active, fq_kin(core), i);
		account->nactive++;
		fq_settle(core, q->parent);
	} else {
		struct ring *ring = ring_at(core, q->parent);

		q->weight = t->weight;
		list_push(&ring->active, fq_kin(core), i);
		ring->nactive++;
		ring->weight += q->weight;
		ring_wake(core, q->parent);
	}
}

static void
leave(struct core *core, uint32_t i)
{
	struct fq *q = fq_at(core, i);

	q->state = FQ_IDLE;
	q->deficit = 0;
	if (q->is_leaf) {
		struct fq *account = fq_at(core, q->parent);

		list_remove(&account->active, fq_kin(core), i);
		account->nactive--;
	} else {
		struct ring *ring = ring_at(core, q->parent);

		list_remove(&ring->active, fq_kin(core), i);
		ring->nactive--;
		ring->weight -= q->weight;
		ring_wake(core, q->parent); /* others may have more now */
	}
}

static void
drop(struct core *core, uint32_t i)
{
	struct fq *q = fq_at(core, i);
	uint32_t parent = q->parent;
	bool is_leaf = q->is_leaf;

	if (q->is_noting) {
		list_remove(&core->noting, note_kin(core), i);
	}
	htab_del(&core->fq_by_id, i);
	slab_free(&core->fqs, i);
	if (is_leaf) {
		fq_settle(core, parent);
	}
}

void
fq_settle(struct core *core, uint32_t i)
{
	struct fq *q = fq_at(core, i);
	bool has_work = q->is_leaf ? q->queued > 0 : q->nactive > 0;

	if (has_work) {
		if (q->state == FQ_IDLE) {
			join(core, i);
		}
		return;
	}
	if (q->state == FQ_ACTIVE) {
		leave(core, i);
	} else if (q->state == FQ_PARKED) {
		uint32_t gate = tenant_at(core, q->tenant)->gate;

		list_remove(&gate_at(core, gate)->waiters, fq_kin(core), i);
		q->state = FQ_IDLE;
	}
	if (q->queued == 0 && q->inflight == 0) {
		drop(core, i);
	}
}

/* ---- recipients
 * -------------------------------------------------------------- */

static uint32_t
class_of(const struct core *core, const struct rcpt *r)
{
	return r->attempts > 0 ? CLASS_RETRY : msg_at(core, r->msg)->class;
}

static bool
is_short_of_quota(const struct core *core, const struct fq *leaf)
{
	const struct fq *account = fq_at(core, leaf->parent);
	uint64_t until_us;

	return (leaf->state == FQ_PARKED || account->state == FQ_PARKED) &&
	    (tenant_is_used_up(core, leaf->tenant, &until_us) ||
		tenant_is_used_up(core, account->tenant, &until_us));
}

static void
note(struct core *core, uint32_t leaf)
{
	if (!fq_at(core, leaf)->is_noting) {
		fq_at(core, leaf)->is_noting = true;
		list_push(&core->noting, note_kin(core), leaf);
	}
}

static void
count(struct core *core, const struct fq *leaf, uint32_t n)
{
	struct fq *account = fq_at(core, leaf->parent);

	account->queued += n;
	ring_at(core, account->parent)->queued += n;
}

void
fq_push(struct core *core, uint32_t ring, uint32_t rcpt, bool is_front)
{
	struct rcpt *r = rcpt_at(core, rcpt);
	uint32_t c = class_of(core, r);
	uint32_t tenant = flow_at(core, msg_at(core, r->msg)->flow)->tenant;
	uint32_t i = fq_get(core, fq_account(core, ring, tenant), tenant, true);
	struct fq *q = fq_at(core, i);
	uint32_t first = q->fifo[c];

	rcpt_state(core, rcpt, CORE_RCPT_READY);
	r->at = i;
	if (is_front) {
		list_push_front(&q->fifo[c], rcpt_kin(core), rcpt);
		if (q->unnoted[c] == first) {
			q->unnoted[c] = rcpt;
		}
	} else {
		list_push(&q->fifo[c], rcpt_kin(core), rcpt);
		if (q->unnoted[c] == NIL) {
			q->unnoted[c] = rcpt;
		}
	}
	q->queued++;
	count(core, q, 1);
	fq_settle(core, i);
	if (is_short_of_quota(core, q)) {
		note(core, i);
	}
}

void
fq_remove(struct core *core, uint32_t rcpt)
{
	const struct rcpt *r = rcpt_at(core, rcpt);
	uint32_t c = class_of(core, r);
	uint32_t i = r->at;
	struct fq *q = fq_at(core, i);

	if (q->unnoted[c] == rcpt) {
		q->unnoted[c] = list_next(q->fifo[c], rcpt_kin(core), rcpt);
	}
	list_remove(&q->fifo[c], rcpt_kin(core), rcpt);
	q->queued--;
	count(core, q, UINT32_MAX);
	fq_settle(core, i);
}

/* ---- at the gate
 * ----------------------------------------------------------------- */

static void
note_all(struct core *core, uint32_t i)
{
	const struct fq *q = fq_at(core, i);

	if (q->is_leaf) {
		note(core, i);
		return;
	}
	for (uint32_t leaf = q->active; leaf != NIL;
	     leaf = list_next(q->active, fq_kin(core), leaf)) {
		note(core, leaf);
	}
}

void
fq_park(struct core *core, uint32_t i, uint64_t until_us, bool on_quota)
{
	struct fq *q = fq_at(core, i);
	uint32_t gate = tenant_at(core, q->tenant)->gate;

	leave(core, i);
	q->state = FQ_PARKED;
	q->is_on_quota = on_quota;
	list_push(&gate_at(core, gate)->waiters, fq_kin(core), i);
	if (until_us == 0) {
		gate_wake(core, gate); /* it is open, but others are before */
	} else {
		gate_wait(core, gate, until_us);
	}
	if (on_quota) {
		note_all(core, i);
	}
	if (q->is_leaf) {
		fq_settle(core, q->parent);
	}
}

void
fq_admit(struct core *core, uint32_t i)
{
	struct fq *q = fq_at(core, i);

	q->state = FQ_IDLE;
	q->is_ticketed = true;
	q->is_on_quota = false;
	fq_settle(core, i);
}

bool
fq_wait_for_quota(struct core *core, uint32_t *waiters)
{
	uint32_t i = *waiters;
	struct fq *q = fq_at(core, i);

	if (q->is_on_quota) {
		return false;
	}
	q->is_on_quota = true;
	*waiters = link_at(fq_kin(core), i)->next;
	note_all(core, i);
	return true;
}

/* ---- CORE_RATE_LIMITED -----------------------------------------------------
 */

static bool
note_message(struct core *core, struct fq *q, uint32_t c, struct core_out *out)
{
	uint32_t i = q->unnoted[c];
	const struct rcpt *r = rcpt_at(core, i);
	struct msg *m = msg_at(core, r->msg);
	uint32_t tenant = q->tenant;
	uint64_t until_us = 0;

	q->unnoted[c] = list_next(q->fifo[c], rcpt_kin(core), i);
	if ((m->flags & CORE_RATE_NOTED) != 0) {
		return false;
	}
	if (!tenant_is_used_up(core, tenant, &until_us)) {
		tenant = tenant_at(core, tenant)->parent;
		(void)tenant_is_used_up(core, tenant, &until_us);
	}
	m->flags |= CORE_RATE_NOTED;
	out->kind = CORE_RATE_LIMITED;
	message_out(core, r->msg, out);
	out->ordinal = r->ordinal;
	out->attempts = r->attempts;
	out->domain = r->domain;
	out->due_s = (uint32_t)(until_us / 1000000);
	out->quota = tenant_at(core, tenant)->quota;
	return true;
}

bool
fq_next_note(struct core *core, struct core_out *out)
{
	while (core->noting != NIL) {
		uint32_t i = core->noting;
		struct fq *q = fq_at(core, i);

		for (uint32_t c = 0; is_short_of_quota(core, q) && c < CLASSES;
		     c++) {
			while (q->unnoted[c] != NIL && core->budget > 0) {
				core->budget--;
				if (note_message(core, q, c, out)) {
					return true;
				}
			}
		}
		if (core->budget == 0) {
			return false;
		}
		q->is_noting = false;
		list_remove(&core->noting, note_kin(core), i);
	}
	return false;
}
