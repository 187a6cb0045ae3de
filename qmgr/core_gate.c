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

uint32_t
gate_from(const struct core *core, uint32_t head, uint32_t from)
{
	uint32_t i = head;

	while (i != NIL && gate_at(core, i)->from != from) {
		i = gate_at(core, i)->next;
	}
	return i;
}

uint8_t
gate_ticket(const struct core *core, uint32_t gate)
{
	const struct gate *g = gate_at(core, gate);
	unsigned bit = g->level + (g->from != 0 ? CORE_LEVELS - 2u : 0);

	if (g->level == GATE_WARM) {
		return 1u << 7;
	}

	return (uint8_t)(1u << bit);
}

bool
gates_are_idle(const struct core *core, uint32_t head)
{
	for (uint32_t i = head; i != NIL; i = gate_at(core, i)->next) {
		const struct gate *g = gate_at(core, i);

		/* A rate that is used up would be forgotten with it. */
		if (g->inflight > 0 || g->waiters != NIL ||
		    g->override_until_us > core->now_us ||
		    g->tat_us > core->now_us || g->rcpt_tat_us > core->now_us ||
		    g->conns > 0 || g->conn_tat_us > core->now_us) {
			return false;
		}
	}
	return true;
}

void
gates_free(struct core *core, uint32_t head)
{
	while (head != NIL) {
		uint32_t next = gate_at(core, head)->next;

		gate_free(core, head);
		head = next;
	}
}

void
gate_free(struct core *core, uint32_t gate)
{
	struct gate *g = gate_at(core, gate);

	bug_on(g->inflight > 0 || g->waiters != NIL || g->conns > 0);
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
	return (l->rate_s * 1000000ULL + l->start_ms * 1000ULL + l->rate_msgs -
		   1) /
	    l->rate_msgs;
}

static bool
has_rate(const struct core_limits *l)
{
	return l->rate_msgs > 0 && l->rate_s > 0;
}

static bool
has_rcpt_rate(const struct core_limits *l)
{
	return l->rate_rcpts > 0 && l->rate_rcpt_s > 0;
}

bool
gate_is_paced(const struct core *core, uint32_t gate)
{
	const struct core_limits *l = gate_limits(core, gate_at(core, gate));

	return has_rate(l) || has_rcpt_rate(l);
}

static uint64_t
rcpt_spacing_us(const struct core_limits *l)
{
	return (l->rate_rcpt_s * 1000000ULL + l->start_ms * 1000ULL +
		   l->rate_rcpts - 1) /
	    l->rate_rcpts;
}

/* When the rates allow the next one. */
static uint64_t
rate_opens_us(const struct gate *g, const struct core_limits *l)
{
	uint64_t at = has_rcpt_rate(l) ? g->rcpt_tat_us : 0;
	uint64_t slack;

	if (!has_rate(l)) {
		return at;
	}
	slack = spacing_us(l) * (l->burst > 1 ? l->burst - 1 : 0);
	return g->tat_us > slack + at ? g->tat_us - slack : at;
}

/*
 * What an earlier run sent just before it ended is not known here: until the
 * rate has passed once, it counts as used up.
 */
static void
assume_used(const struct core *core, struct gate *g)
{
	const struct core_limits *l = gate_limits(core, g);
	uint64_t rcpts = l->rcpt_burst > 0 ? l->rcpt_burst : CORE_JOB_RCPTS;

	if (!core->conf.is_restart) {
		return;
	}
	if (has_rate(l) && g->tat_us == 0) {
		g->tat_us = core->begun_us +
		    spacing_us(l) * (l->burst > 1 ? l->burst : 1);
	}
	if (has_rcpt_rate(l) && g->rcpt_tat_us == 0) {
		g->rcpt_tat_us = core->begun_us + rcpt_spacing_us(l) * rcpts;
	}
	conn_assume_used(core, g);
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
	if (g->level == GATE_WARM &&
	    warm_is_used_up(core, g->owner, until_us)) {
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

enum core_stop
gate_stop(const struct core *core, uint32_t gate)
{
	const struct gate *g = gate_at(core, gate);
	const struct core_limits *l = gate_limits(core, g);

	uint64_t until_us;

	if (g->is_shut) {
		return CORE_STOP_SHUT;
	}
	if (g->level == GATE_WARM &&
	    warm_is_used_up(core, g->owner, &until_us)) {
		return CORE_STOP_CEILING;
	}
	if (l->is_paused) {
		return CORE_STOP_PAUSED;
	}
	if (l->max_conn > 0 && g->inflight >= l->max_conn) {
		return CORE_STOP_CONNECTIONS;
	}
	if (rate_opens_us(g, l) <= core->now_us) {
		return conn_stop(core, gate);
	}
	return has_rcpt_rate(l) && g->rcpt_tat_us > core->now_us
	    ? CORE_STOP_RECIPIENTS
	    : CORE_STOP_MESSAGES;
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
gate_take(struct core *core, uint32_t gate)
{
	struct gate *g = gate_at(core, gate);
	const struct core_limits *l = gate_limits(core, g);

	if (g->level == GATE_WARM) {
		warm_use(core, g->owner);
	}
	if (has_rcpt_rate(l)) {
		uint64_t from = g->rcpt_tat_us > core->now_us ? g->rcpt_tat_us
							      : core->now_us;

		g->rcpt_tat_us = from + rcpt_spacing_us(l);
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

/* The one to go on; NIL: none can, *until_us is when to look again. */
static uint32_t
next_waiter(
    struct core *core, uint32_t gate, uint64_t *until_us, bool *on_quota)
{
	if (!gate_is_open(core, gate, until_us, on_quota)) {
		return NIL;
	}
	return conn_counts_at(core, gate)
	    ? conn_next_waiter(core, gate, until_us)
	    : gate_at(core, gate)->waiters;
}

bool
gate_admit(struct core *core)
{
	while (core->awake != NIL) {
		uint32_t gate = core->awake;
		struct gate *g = gate_at(core, gate);
		uint64_t until_us;
		bool on_quota;
		uint32_t i;

		if (g->waiters == NIL) {
			put_to_sleep(core, gate);
			continue;
		}
		i = next_waiter(core, gate, &until_us, &on_quota);
		if (i == NIL) {
			if (on_quota && fq_wait_for_quota(core, &g->waiters)) {
				return true;
			}
			put_to_sleep(core, gate);
			gate_wait(core, gate, until_us);
			continue;
		}
		core->awake = link_at(awake_kin(core), gate)->next;
		if (is_tenants(g)) {
			list_remove(&g->waiters, fq_kin(core), i);
			fq_admit(core, i);
		} else {
			list_remove(&g->waiters, path_kin(core), i);
			path_admit(core, i);
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
		i = i < core->sites.used ? site_at(core, i)->gate : NIL;
		return gate_from(core, i, o->sub);
	case CORE_LEVEL_PROVIDER:
		i = i < core->providers.used ? provider_at(core, i)->gate : NIL;
		return gate_from(core, i, o->sub);
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

/* Jobs and connections there are count at the limits of their source from now
 * on. */
static void
count_all(struct core *core, uint32_t head, uint32_t gate)
{
	uint32_t from = gate_at(core, gate)->from;

	for (uint32_t i = 1; i < core->paths.used; i++) {
		const struct path *p = path_at(core, i);

		if (p->ring != NIL && CORE_FROM(p->source) == from &&
		    path_is_at(core, p, head)) {
			conn_count_at(core, i, gate);
		}
	}

	for (uint32_t i = 1; i < core->jobs.used; i++) {
		struct job *j = job_at(core, i);
		uint32_t n = j->id != 0 ? j->ngates : 0;

		for (uint32_t k = 0; k < n; k++) {
			if (j->gates[k] == head &&
			    CORE_FROM(path_at(core, j->path)->source) == from) {
				j->gates[j->ngates++] = gate;
				gate_at(core, gate)->inflight++;
			}
		}
	}
}

/* The limits of one source at a site or provider begin to be. */
static void
add_gate_from(struct core *core, const struct core_object *o)
{
	struct core_object all = { .level = o->level, .index = o->index };
	uint32_t head = named_gate(core, &all);
	uint32_t i;

	if (head == NIL || o->sub > CORE_SOURCES ||
	    gate_from(core, head, o->sub) != NIL) {
		return;
	}
	i = gate_new(core, o->level, o->index);
	gate_at(core, i)->from = o->sub;
	gate_at(core, i)->next = gate_at(core, head)->next;
	gate_at(core, head)->next = i;
	count_all(core, head, i);
}

static uint32_t
gate_of(struct core *core, const struct core_object *o)
{
	switch (o->level) {
	case CORE_LEVEL_SITE:
	case CORE_LEVEL_PROVIDER:
		add_gate_from(core, o);
		break;
	case CORE_LEVEL_ACCOUNT:
		(void)tenant_get(core, o->index, 0);
		break;
	case CORE_LEVEL_SUBACCOUNT:
		(void)tenant_get(core, o->index, o->sub);
		break;
	case CORE_LEVEL_SOURCE:
	case CORE_LEVELS:
		break;
	}
	return named_gate(core, o);
}

/* Caps of windows may have changed with them. */
static void
limits_changed(struct core *core, const struct core_object *o, uint32_t gate)
{
	assume_used(core, gate_at(core, gate));
	if (o->level == CORE_LEVEL_SITE) {
		paths_settle(core, o->index);
	} else if (o->level == CORE_LEVEL_PROVIDER) {
		for (uint32_t i = 1; i < core->sites.used; i++) {
			if (site_at(core, i)->provider == o->index) {
				paths_settle(core, i);
			}
		}
	}
	conn_trim(core, gate);
	gate_wake(core, gate);
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
	limits_changed(core, o, gate);
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
	limits_changed(core, o, gate);
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
