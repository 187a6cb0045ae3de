#include <errno.h>

#include "core_impl.h"

/*
 * A gate lets jobs through as its limits say. Whoever finds it closed waits
 * there, first come, first served: when it opens, waiters are admitted one at
 * a time, with a ticket that lets them pass those who come later.
 */

uint32_t
gate_new(struct core *core, enum core_level level, uint32_t owner)
{
	uint32_t i = slab_alloc(&core->gates);

	bug_on(i == NIL); /* as many as there can be owners */
	gate_at(core, i)->level = (uint8_t)level;
	gate_at(core, i)->owner = owner;
	return i;
}

void
gate_free(struct core *core, uint32_t gate)
{
	struct gate *g = gate_at(core, gate);

	bug_on(g->inflight > 0 || g->waiters != NIL);
	timer_set(core, TIMER_GATE, gate, UINT64_MAX);
	if (g->is_awake) {
		list_remove(&core->awake, awake_kin(core), gate);
	}
	slab_free(&core->gates, gate);
}

static bool
is_overridden(const struct core *core, const struct gate *g)
{
	return core->now_us < g->override_until_us;
}

const struct core_limits *
gate_limits(const struct core *core, const struct gate *g)
{
	return is_overridden(core, g) ? &g->override : &g->base;
}

/* The time of one transaction, rounded so that the rate is never exceeded. */
static uint64_t
spacing_us(const struct core_limits *l)
{
	return (l->rate_s * 1000000ULL + l->rate_msgs - 1) / l->rate_msgs;
}

static bool
has_rate(const struct core_limits *l)
{
	return l->rate_msgs > 0 && l->rate_s > 0;
}

/* When the rate allows the next one. */
static uint64_t
rate_opens_us(const struct gate *g, const struct core_limits *l)
{
	uint64_t slack;

	if (!has_rate(l)) {
		return 0;
	}
	slack = spacing_us(l) * (l->burst > 1 ? l->burst - 1 : 0);
	return g->tat_us > slack ? g->tat_us - slack : 0;
}

static bool
is_tenants(const struct gate *g)
{
	return g->level == CORE_LEVEL_ACCOUNT ||
	    g->level == CORE_LEVEL_SUBACCOUNT;
}

bool
gate_is_open(
    struct core *core, uint32_t gate, uint64_t *until_us, bool *on_quota)
{
	const struct gate *g = gate_at(core, gate);
	const struct core_limits *l = gate_limits(core, g);
	uint64_t end =
	    is_overridden(core, g) ? g->override_until_us : UINT64_MAX;
	uint64_t rate = rate_opens_us(g, l);

	*until_us = end;
	*on_quota = false;
	if (is_tenants(g) && tenant_is_used_up(core, g->owner, until_us)) {
		*on_quota = true;
		return false;
	}
	if (g->is_shut || l->is_paused ||
	    (l->max_conn > 0 && g->inflight >= l->max_conn)) {
		return false;
	}
	if (rate > core->now_us) {
		*until_us = rate < end ? rate : end;
		return false;
	}
	return true;
}

void
gate_enter(struct core *core, uint32_t gate)
{
	struct gate *g = gate_at(core, gate);
	const struct core_limits *l = gate_limits(core, g);

	g->inflight++;
	if (has_rate(l)) {
		uint64_t from =
		    g->tat_us > core->now_us ? g->tat_us : core->now_us;

		g->tat_us = from + spacing_us(l);
	}
}

void
gate_leave(struct core *core, uint32_t gate)
{
	bug_on(gate_at(core, gate)->inflight == 0);
	gate_at(core, gate)->inflight--;
	gate_wake(core, gate);
}

void
gate_wake(struct core *core, uint32_t gate)
{
	struct gate *g = gate_at(core, gate);

	if (g->waiters != NIL && !g->is_awake) {
		g->is_awake = true;
		list_push(&core->awake, awake_kin(core), gate);
	}
}

void
gate_wait(struct core *core, uint32_t gate, uint64_t until_us)
{
	timer_set(core, TIMER_GATE, gate, until_us);
}

static void
put_to_sleep(struct core *core, uint32_t gate)
{
	list_remove(&core->awake, awake_kin(core), gate);
	gate_at(core, gate)->is_awake = false;
}

bool
gate_admit(struct core *core)
{
	while (core->awake != NIL) {
		uint32_t gate = core->awake;
		struct gate *g = gate_at(core, gate);
		uint64_t until_us;
		bool on_quota;

		if (g->waiters == NIL) {
			put_to_sleep(core, gate);
			continue;
		}
		if (!gate_is_open(core, gate, &until_us, &on_quota)) {
			if (on_quota && fq_wait_for_quota(core, &g->waiters)) {
				return true;
			}
			put_to_sleep(core, gate);
			gate_wait(core, gate, until_us);
			continue;
		}
		core->awake = link_at(awake_kin(core), gate)->next;
		if (is_tenants(g)) {
			fq_admit(core, list_pop(&g->waiters, fq_kin(core)));
		} else {
			path_admit(core, list_pop(&g->waiters, path_kin(core)));
		}
		return true;
	}
	return false;
}

/* ---- setting limits
 * ----------------------------------------------------------- */

static uint32_t
named_gate(const struct core *core, const struct core_object *o)
{
	uint32_t i = o->index;

	switch (o->level) {
	case CORE_LEVEL_SITE:
		return i < core->sites.used ? site_at(core, i)->gate : NIL;
	case CORE_LEVEL_PROVIDER:
		return i < core->providers.used ? provider_at(core, i)->gate
						: NIL;
	case CORE_LEVEL_SOURCE:
		return i < CORE_SOURCES ? core->sources[i].gate : NIL;
	case CORE_LEVEL_ACCOUNT:
	case CORE_LEVEL_SUBACCOUNT:
		i = tenant_find(
		    core, i, o->level == CORE_LEVEL_ACCOUNT ? 0 : o->sub);
		return i == NIL ? NIL : tenant_at(core, i)->gate;
	case CORE_LEVELS:
		break;
	}
	return NIL;
}

static uint32_t
gate_of(struct core *core, const struct core_object *o)
{
	if (o->level == CORE_LEVEL_ACCOUNT) {
		(void)tenant_get(core, o->index, 0);
	} else if (o->level == CORE_LEVEL_SUBACCOUNT) {
		(void)tenant_get(core, o->index, o->sub);
	}
	return named_gate(core, o);
}

int
core_limits_set(
    struct core *core, const struct core_object *o, const struct core_limits *l)
{
	uint32_t gate = gate_of(core, o);

	if (gate == NIL) {
		return -ENOENT;
	}
	gate_at(core, gate)->base = *l;
	gate_wake(core, gate);
	return 0;
}

int
core_limits_override(struct core *core, const struct core_object *o,
    const struct core_limits *l, uint64_t until_us)
{
	uint32_t gate = gate_of(core, o);

	if (gate == NIL) {
		return -ENOENT;
	}
	gate_at(core, gate)->override = *l;
	gate_at(core, gate)->override_until_us = until_us;
	gate_wake(core, gate);
	return 0;
}

int
core_limits_get(const struct core *core, const struct core_object *o,
    struct core_limits *l, uint64_t *until_us)
{
	uint32_t gate = named_gate(core, o);
	const struct gate *g = gate_at(core, gate);

	if (gate == NIL) {
		return -ENOENT;
	}
	*l = *gate_limits(core, g);
	*until_us = is_overridden(core, g) ? g->override_until_us : UINT64_MAX;
	return 0;
}
