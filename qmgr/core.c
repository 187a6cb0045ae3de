#include "core.h"

#include <string.h>

#include "buf.h"
#include "core_impl.h"

#define MAX_SEGMENTS (1u << 22)
#define MAX_NAMES (1u << 23)
#define MAX_TENANTS (1u << 22)
#define MAX_RINGS (1u << 23)
#define MAX_WARMS (1u << 22)
#define MAX_GATES (1u << 24)
#define MAX_JOBS (1u << 22)

void
core_config_init(struct core_config *c)
{
	static const uint32_t retry_s[] = { 120, 300, 600, 1200, 2400, 3600,
		7200, 10800 };

	*c = (struct core_config){ .max_messages = 1u << 26,
		.max_rcpts = 1u << 27,
		.nretry = array_len(retry_s),
		.jitter_percent = 10,
		.seed = 1,
		.window_initial = 5,
		.concurrency_limit = 20,
		.rcpt_limit = 50,
		.credit = 2,
		.conn_share = 20,
		.slice = 2000 };
	memcpy(c->retry_s, retry_s, sizeof(retry_s));
}

/* ---- hashes
 * ---------------------------------------------------------------------- */

static uint64_t
pair_hash(uint32_t a, uint32_t b, uint64_t seed)
{
	return mix64(((uint64_t)a << 32 | b) ^ seed);
}

static uint64_t
msg_hash(const void *elem, uint64_t seed)
{
	const struct msg *m = elem;
	uint64_t w[2];

	memcpy(w, &m->id, sizeof(w));
	return mix64(w[0] ^ mix64(w[1] ^ seed));
}

static uint64_t
segment_hash(const void *elem, uint64_t seed)
{
	return mix64(((const struct segment *)elem)->segid ^ seed);
}

static uint64_t
name_hash(const void *elem, uint64_t seed)
{
	const struct name *n = elem;

	return hash_bytes(n->p, n->len, seed);
}

static uint64_t
tenant_hash(const void *elem, uint64_t seed)
{
	const struct tenant *t = elem;

	return pair_hash(t->account, t->sub, seed);
}

static uint64_t
flow_hash(const void *elem, uint64_t seed)
{
	const struct flow *f = elem;

	return pair_hash(f->tenant, f->pool, seed);
}

static uint64_t
ring_hash(const void *elem, uint64_t seed)
{
	const struct ring *r = elem;

	return pair_hash(r->site, r->pool, seed);
}

static uint64_t
fq_hash(const void *elem, uint64_t seed)
{
	const struct fq *q = elem;

	return pair_hash(q->parent, q->tenant, seed + q->is_leaf);
}

/* ---- life
 * -------------------------------------------------------------------------- */

static int
init_slabs(struct core *c)
{
	const struct {
		struct slab *slab;
		size_t size;
		uint32_t max;
	} all[] = {
		{ &c->msgs, sizeof(struct msg), c->conf.max_messages },
		{ &c->rcpts, sizeof(struct rcpt), c->conf.max_rcpts },
		{ &c->segments, sizeof(struct segment), MAX_SEGMENTS },
		{ &c->domains, sizeof(struct domain), MAX_NAMES },
		{ &c->sites, sizeof(struct site), MAX_NAMES },
		{ &c->providers, sizeof(struct provider), MAX_NAMES },
		{ &c->tenants, sizeof(struct tenant), MAX_TENANTS },
		{ &c->flows, sizeof(struct flow), MAX_TENANTS },
		{ &c->gates, sizeof(struct gate), MAX_GATES },
		{ &c->rings, sizeof(struct ring), MAX_RINGS },
		{ &c->fqs, sizeof(struct fq), c->conf.max_rcpts },
		{ &c->paths, sizeof(struct path), MAX_RINGS },
		{ &c->jobs, sizeof(struct job), MAX_JOBS },
		{ &c->warms, sizeof(struct warm), MAX_WARMS },
	};

	for (size_t i = 0; i < array_len(all); i++) {
		int r = slab_init(all[i].slab, all[i].size, all[i].max);

		if (r != 0) {
			return r;
		}
	}
	return 0;
}

static int
init_tables(struct core *c)
{
	const struct {
		struct htab *table;
		const struct slab *slab;
		size_t off;
		uint64_t (*hash)(const void *, uint64_t);
	} all[] = {
		{ &c->msg_by_id, &c->msgs, offsetof(struct msg, chain),
		    msg_hash },
		{ &c->segment_by_id, &c->segments,
		    offsetof(struct segment, chain), segment_hash },
		{ &c->domain_by_name, &c->domains, offsetof(struct name, chain),
		    name_hash },
		{ &c->site_by_name, &c->sites, offsetof(struct name, chain),
		    name_hash },
		{ &c->provider_by_name, &c->providers,
		    offsetof(struct name, chain), name_hash },
		{ &c->tenant_by_id, &c->tenants, offsetof(struct tenant, chain),
		    tenant_hash },
		{ &c->flow_by_id, &c->flows, offsetof(struct flow, chain),
		    flow_hash },
		{ &c->ring_by_id, &c->rings, offsetof(struct ring, chain),
		    ring_hash },
		{ &c->fq_by_id, &c->fqs, offsetof(struct fq, chain), fq_hash },
		{ &c->warm_by_key, &c->warms, offsetof(struct warm, chain),
		    warm_hash },
	};

	for (size_t i = 0; i < array_len(all); i++) {
		int r = htab_init(all[i].table, all[i].slab, all[i].off,
		    all[i].hash, mix64(c->conf.seed + i));

		if (r != 0) {
			return r;
		}
	}
	return 0;
}

static void
check_config(const struct core_config *c)
{
	bug_on(c->nretry == 0 || c->nretry > CORE_RETRIES);
	bug_on(c->rcpt_limit == 0 || c->rcpt_limit > CORE_JOB_RCPTS);
	bug_on(c->window_initial == 0 || c->concurrency_limit == 0);
	bug_on(c->credit == 0 || c->slice == 0 || c->jitter_percent > 100);
}

struct core *
core_new(const struct core_config *conf, uint64_t now_us)
{
	struct core *c = mem_alloc(sizeof(*c));

	check_config(conf);
	c->conf = *conf;
	c->now_us = now_us;
	c->begun_us = now_us;
	c->now_s = (uint32_t)(now_us / 1000000);
	c->sweep_us = now_us;
	c->sweep_at = 1;
	c->sources = mem_alloc(CORE_SOURCES * sizeof(*c->sources));
	c->pools = mem_alloc(CORE_SOURCES * sizeof(*c->pools));
	c->ceilings = mem_alloc(CORE_SOURCES * sizeof(*c->ceilings));
	c->max_timers = MAX_GATES + MAX_RINGS + MAX_NAMES;
	c->timers = slab_reserve((c->max_timers + 1ULL) * sizeof(*c->timers));
	if (c->timers == NULL || init_slabs(c) != 0 || init_tables(c) != 0 ||
	    wheel_init(&c->wheel, c->now_s) != 0) {
		core_free(&c);
	}
	return c;
}

void
core_free(struct core **core)
{
	struct core *c = *core;

	if (c == NULL) {
		return;
	}
	struct slab *slabs[] = { &c->msgs, &c->rcpts, &c->segments, &c->domains,
		&c->sites, &c->providers, &c->tenants, &c->flows, &c->gates,
		&c->rings, &c->fqs, &c->paths, &c->jobs, &c->warms };
	struct htab *tables[] = { &c->msg_by_id, &c->segment_by_id,
		&c->domain_by_name, &c->site_by_name, &c->provider_by_name,
		&c->tenant_by_id, &c->flow_by_id, &c->ring_by_id, &c->fq_by_id,
		&c->warm_by_key };

	name_fini(c);
	for (size_t i = 0; i < array_len(tables); i++) {
		htab_fini(tables[i]);
	}
	for (size_t i = 0; i < array_len(slabs); i++) {
		slab_fini(slabs[i]);
	}
	wheel_fini(&c->wheel);
	slab_release(c->timers, (c->max_timers + 1ULL) * sizeof(*c->timers));
	free(c->sources);
	free(c->pools);
	free(c->ceilings);
	free(c->notes);
	free(c);
	*core = NULL;
}

void
core_reconfigure(struct core *core, const struct core_config *c)
{
	struct core_config old = core->conf;

	check_config(c);
	core->conf = *c;
	core->conf.max_messages = old.max_messages;
	core->conf.max_rcpts = old.max_rcpts;
	core->conf.seed = old.seed;
	for (uint32_t i = 1; i < core->paths.used; i++) {
		if (path_at(core, i)->ring != NIL) {
			path_settle(core, i);
		}
	}
}

void
core_start(struct core *core)
{
	core->is_started = true;
	core->budget = core->conf.slice;
}

/* ---- time
 * -------------------------------------------------------------------------- */

static bool
ring_timers(struct core *core)
{
	struct timer t;

	while (core->budget > 0 && timer_pop(core, &t)) {
		core->budget--;
		switch ((enum timer_kind)t.kind) {
		case TIMER_GATE:
			gate_wake(core, t.index);
			break;
		case TIMER_PATH:
			path_timer(core, t.index);
			break;
		case TIMER_DOMAIN:
			domain_timer(core, t.index);
			break;
		}
	}
	return core->budget == 0;
}

bool
core_advance(struct core *core, uint64_t now_us)
{
	bool is_more;

	if (now_us > core->now_us) {
		core->now_us = now_us;
		core->now_s = (uint32_t)(now_us / 1000000);
	}
	core->budget = core->conf.slice;
	if (!core->is_started) {
		return false;
	}
	is_more = ring_timers(core);
	is_more = wheel_advance(core) || is_more;
	is_more = domain_move(core) || is_more;
	is_more = message_sweep(core) || is_more;
	name_collect(core);
	warm_collect(core);
	/* What is said by core_next has its own part of the turn. */
	core->budget = core->conf.slice;
	return is_more;
}

static bool
has_output(const struct core *core)
{
	return core->ended != NIL || core->done != NIL || core->empty != NIL ||
	    core->to_ask != NIL || core->moving != NIL ||
	    core->running != NIL || core->awake != NIL || core->noting != NIL ||
	    core->cancelling != NIL || core->asking != NIL ||
	    core->nadmin > 0 || core->note_at < core->nnotes;
}

uint64_t
core_wake_us(const struct core *core)
{
	uint64_t at = UINT64_MAX;
	uint32_t s;

	if (!core->is_started) {
		return at;
	}
	if (has_output(core)) {
		return core->now_us;
	}
	s = wheel_next(core);
	if (s != UINT32_MAX) {
		at = s * 1000000ULL;
	}
	if (core->msgs.live > 0 && core->sweep_us + SWEEP_US < at) {
		at = core->sweep_us + SWEEP_US;
	}
	if (core->ntimers > 0 && core->timers[1].at_us < at) {
		at = core->timers[1].at_us;
	}
	return at > core->now_us ? at : core->now_us;
}

bool
core_next(struct core *core, struct core_out *out)
{
	if (!core->is_started) {
		return false;
	}
	memset(out, 0, sizeof(*out));
	(void)domain_move(core); /* core_wake_us knows when some are left */
	if (admin_tell(core, out) || rcpt_next_ended(core, out) ||
	    message_next_done(core, out) || segment_next_empty(core, out) ||
	    path_next_cancel(core, out) || domain_next_question(core, out)) {
		return true;
	}
	do {
		if (schedule_next(core, out)) {
			return true;
		}
	} while (gate_admit(core));
	return conn_next_close(core, out) || fq_next_note(core, out) ||
	    admin_next(core, out);
}
