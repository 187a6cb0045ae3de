#include <errno.h>

#include "core_impl.h"

int
core_walk(const struct core *core, uint32_t *at, uint32_t *msg)
{
	for (uint32_t n = 0; n < core->conf.slice; n++) {
		if (++*at >= core->msgs.used) {
			*at = core->msgs.used;
			return 0;
		}
		if (msg_at(core, *at)->is_used) {
			*msg = *at;
			return 1;
		}
	}
	return -EAGAIN;
}

static enum core_path_state
state_of(const struct path *p)
{
	switch ((enum path_state)p->state) {
	case PATH_AVAIL:
	case PATH_FULL:
		if (p->is_probing) {
			return CORE_PATH_PROBING;
		}
		if (p->state == PATH_FULL && p->held_by != NIL) {
			return CORE_PATH_LIMITED;
		}
		return p->state == PATH_FULL ? CORE_PATH_FULL : CORE_PATH_OPEN;
	case PATH_PARKED:
		return CORE_PATH_LIMITED;
	case PATH_DEAD:
		return CORE_PATH_DEAD;
	case PATH_SUSPENDED:
		return CORE_PATH_SUSPENDED;
	}
	bug_on(true);
}

/* When the gate's timer rings, 0: no time is set. */
static uint64_t
gate_until(const struct core *core, const struct gate *g)
{
	return g->timer == NIL ? 0 : core->timers[g->timer].at_us;
}

static void
view_gate(const struct core *core, uint32_t gate, struct core_path_view *v)
{
	const struct gate *g = gate_at(core, gate);

	v->blocked_by = g->level == GATE_WARM ? CORE_LEVEL_PROVIDER : g->level;
	v->is_blocked_from = g->from != 0 || g->level == GATE_WARM;
	v->until_us = gate_until(core, g);
	v->stop = gate_stop(core, gate);
}

int
core_path_get(const struct core *core, uint32_t path, struct core_path_view *v)
{
	const struct path *p;
	const struct ring *r;
	uint32_t provider;

	if (path == NIL || path >= core->paths.used ||
	    path_at(core, path)->ring == NIL) {
		return -ENOENT;
	}
	p = path_at(core, path);
	r = ring_at(core, p->ring);
	provider = site_at(core, r->site)->provider;
	*v = (struct core_path_view){ .path = path,
		.site = r->site,
		.provider = provider == NIL ? CORE_NONE : provider,
		.source = p->source,
		.pool = r->pool,
		.state = state_of(p),
		.until_us = p->until_us,
		.window = p->window,
		.conns = p->conns,
		.busy = p->conns < p->inflight ? p->conns : p->inflight,
		.inflight = p->inflight,
		.failures = p->failures,
		.queued = r->queued,
		.is_tenant_blocked = r->queued > 0 && r->nactive == 0 };
	if (p->state == PATH_PARKED) {
		view_gate(core, p->gate, v);
	} else if (v->state == CORE_PATH_LIMITED) {
		view_gate(core, p->held_by, v);
	}
	return 0;
}

bool
core_path_next(const struct core *core, uint32_t *at, struct core_path_view *v)
{
	while (++*at < core->paths.used) {
		if (core_path_get(core, *at, v) == 0) {
			return true;
		}
	}
	return false;
}

void
core_stats_get(const struct core *core, struct core_stats *st)
{
	*st = (struct core_stats){ .messages = core->msgs.live,
		.rcpts = core->rcpts.live,
		.jobs = core->jobs.live,
		.domains = core->domains.live,
		.sites = core->sites.live,
		.paths = core->paths.live };
	for (size_t i = 0; i < array_len(st->by_state); i++) {
		st->by_state[i] = core->by_state[i];
	}
}

static uint64_t
slab_bytes(const struct slab *s)
{
	return (uint64_t)s->live * s->size;
}

static uint64_t
htab_bytes(const struct htab *h)
{
	return (h->mask + 1ULL + h->split) * sizeof(*h->bucket);
}

uint64_t
core_memory_bytes(const struct core *core)
{
	const struct slab *slabs[] = { &core->msgs, &core->rcpts,
		&core->segments, &core->domains, &core->sites, &core->providers,
		&core->tenants, &core->flows, &core->gates, &core->rings,
		&core->fqs, &core->paths, &core->jobs };
	const struct htab *tables[] = { &core->segment_by_id,
		&core->domain_by_name, &core->site_by_name,
		&core->provider_by_name, &core->tenant_by_id, &core->flow_by_id,
		&core->ring_by_id, &core->fq_by_id };
	uint64_t n = sizeof(*core) + WHEEL_SLOTS * sizeof(uint32_t) +
	    WHEEL_SLOTS / 8 + core->name_bytes;

	for (size_t i = 0; i < array_len(slabs); i++) {
		n += slab_bytes(slabs[i]);
	}
	for (size_t i = 0; i < array_len(tables); i++) {
		n += htab_bytes(tables[i]);
	}
	/* A bucket for each message that there is; the rest is for later. */
	return n + core->msgs.live * sizeof(*core->msg_by_id.bucket);
}
