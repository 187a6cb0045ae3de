#include <errno.h>

#include "core_impl.h"

#define HOUR_S 3600u

uint32_t
tenant_find(const struct core *core, uint32_t account, uint32_t sub)
{
	const struct htab *h = &core->tenant_by_id;
	struct tenant key = { .account = account, .sub = sub };
	uint32_t i = htab_first(h, h->hash(&key, h->seed));

	while (i != NIL &&
	    (tenant_at(core, i)->account != account ||
		tenant_at(core, i)->sub != sub)) {
		i = htab_next(h, i);
	}
	return i;
}

uint32_t
tenant_get(struct core *core, uint32_t account, uint32_t sub)
{
	uint32_t i = tenant_find(core, account, sub);
	uint32_t parent = NIL;
	struct tenant *t;

	if (i != NIL) {
		return i;
	}
	if (sub != 0) {
		parent = tenant_get(core, account, 0);
		if (parent == NIL) {
			return NIL;
		}
	}
	i = slab_alloc(&core->tenants);
	if (i == NIL) {
		return NIL;
	}
	t = tenant_at(core, i);
	t->account = account;
	t->sub = sub;
	t->parent = sub == 0 ? i : parent;
	t->weight = CORE_WEIGHT_DEFAULT;
	t->gate = gate_new(
	    core, sub == 0 ? CORE_LEVEL_ACCOUNT : CORE_LEVEL_SUBACCOUNT, i);
	htab_add(&core->tenant_by_id, i);
	return i;
}

uint32_t
flow_get(struct core *core, uint32_t tenant, uint32_t pool)
{
	const struct htab *h = &core->flow_by_id;
	struct flow key = { .tenant = tenant, .pool = pool };
	uint32_t i = htab_first(h, h->hash(&key, h->seed));

	while (i != NIL &&
	    (flow_at(core, i)->tenant != tenant ||
		flow_at(core, i)->pool != pool)) {
		i = htab_next(h, i);
	}
	if (i != NIL) {
		return i;
	}
	i = slab_alloc(&core->flows);
	if (i != NIL) {
		*flow_at(core, i) = key;
		htab_add(&core->flow_by_id, i);
	}
	return i;
}

/* ---- the queue's limit --------------------------------------------------- */

/* Full at the limit, and until a tenth of it is free: nobody is told of every
 * single recipient. */
static void
check_room(struct core *core, uint32_t tenant)
{
	struct tenant *t = tenant_at(core, tenant);
	uint32_t limit = t->queue_limit;
	bool is_full = limit != 0 &&
	    (t->queued >= limit ||
		(t->is_full && t->queued > limit - limit / 10));

	if (is_full == t->is_full) {
		return;
	}
	t->is_full = is_full;
	if (!t->is_crossed) {
		t->is_crossed = true;
		list_push(&core->crossed, crossed_kin(core), tenant);
	}
}

void
tenant_queued(struct core *core, uint32_t tenant, int n)
{
	struct tenant *t = tenant_at(core, tenant);

	t->queued += (uint32_t)n;
	check_room(core, tenant);
	if (t->parent != tenant) {
		tenant_at(core, t->parent)->queued += (uint32_t)n;
		check_room(core, t->parent);
	}
}

/* ---- quotas of the hour -------------------------------------------------- */

static uint32_t
used(const struct core *core, const struct tenant *t)
{
	return t->hour == core->now_s / HOUR_S ? t->used : 0;
}

bool
tenant_is_used_up(const struct core *core, uint32_t tenant, uint64_t *until_us)
{
	const struct tenant *t = tenant_at(core, tenant);

	if (t->quota == 0 || used(core, t) < t->quota) {
		return false;
	}
	*until_us = (t->hour + 1ULL) * HOUR_S * 1000000;
	return true;
}

static uint32_t
quota_left(const struct core *core, const struct tenant *t)
{
	uint32_t n = used(core, t);

	if (t->quota == 0) {
		return UINT32_MAX;
	}
	return t->quota > n ? t->quota - n : 0;
}

uint32_t
tenant_quota_left(const struct core *core, uint32_t tenant)
{
	const struct tenant *t = tenant_at(core, tenant);
	uint32_t own = quota_left(core, t);
	uint32_t all = quota_left(core, tenant_at(core, t->parent));

	return own < all ? own : all;
}

static void
use(const struct core *core, struct tenant *t, uint32_t n)
{
	t->used = used(core, t) + n;
	t->hour = core->now_s / HOUR_S;
}

void
tenant_use(struct core *core, uint32_t tenant, uint32_t n)
{
	struct tenant *t = tenant_at(core, tenant);

	use(core, t, n);
	if (t->parent != tenant) {
		use(core, tenant_at(core, t->parent), n);
	}
}

static void
unuse(struct core *core, struct tenant *t, uint32_t hour)
{
	if (t->hour == hour && t->used > 0) {
		t->used--;
		gate_wake(core, t->gate);
	}
}

void
tenant_unuse(struct core *core, uint32_t tenant, uint32_t hour)
{
	struct tenant *t = tenant_at(core, tenant);

	unuse(core, t, hour);
	if (t->parent != tenant) {
		unuse(core, tenant_at(core, t->parent), hour);
	}
}

/* ---- what the shell says and asks -------------------------------------- */

void
core_tenant_set(struct core *core, const struct core_tenant *from)
{
	uint32_t i = tenant_get(core, from->account, from->subaccount);
	struct tenant *t = tenant_at(core, i);
	struct gate *g;

	bug_on(i == NIL);
	t->weight = from->weight == 0 ? 1 : from->weight;
	t->quota = from->hourly_quota;
	t->queue_limit = from->queue_limit;
	check_room(core, i);
	g = gate_at(core, t->gate);
	g->base.max_conn = from->max_conn;
	g->base.is_paused = from->is_paused;
	gate_wake(core, t->gate);
}

void
core_quota_set(struct core *core, uint32_t account, uint32_t subaccount,
    uint32_t hour, uint32_t n)
{
	struct tenant *t;
	uint32_t i = tenant_get(core, account, subaccount);

	bug_on(i == NIL);
	t = tenant_at(core, i);
	t->hour = hour;
	t->used = n;
	gate_wake(core, t->gate);
}

static void
view(
    const struct core *core, const struct tenant *t, struct core_tenant_view *v)
{
	const struct gate *g = gate_at(core, t->gate);

	*v = (struct core_tenant_view){
		.account = t->account,
		.subaccount = t->sub,
		.queued = t->queued,
		.inflight = g->inflight,
		.quota = t->quota,
		.quota_used = t->used,
		.quota_hour = t->hour,
		.queue_limit = t->queue_limit,
		.is_paused = gate_limits(core, g)->is_paused,
		.is_full = t->is_full,
	};
}

bool
core_tenant_crossed(struct core *core, struct core_tenant_view *v)
{
	uint32_t i = list_pop(&core->crossed, crossed_kin(core));

	if (i == NIL) {
		return false;
	}
	tenant_at(core, i)->is_crossed = false;
	view(core, tenant_at(core, i), v);
	return true;
}

int
core_tenant_get(const struct core *core, uint32_t account, uint32_t subaccount,
    struct core_tenant_view *v)
{
	uint32_t i = tenant_find(core, account, subaccount);

	if (i == NIL) {
		return -ENOENT;
	}
	view(core, tenant_at(core, i), v);
	return 0;
}

bool
core_tenant_next(
    const struct core *core, uint32_t *at, struct core_tenant_view *v)
{
	if (++*at >= core->tenants.used) {
		return false;
	}
	view(core, tenant_at(core, *at), v);
	return true;
}
