#include <errno.h>

#include "core_impl.h"

static uint32_t
ring_find(const struct core *core, uint32_t site, uint32_t pool)
{
	const struct htab *h = &core->ring_by_id;
	struct ring key = { .site = site, .pool = pool };
	uint32_t i = htab_first(h, h->hash(&key, h->seed));

	while (i != NIL &&
	    (ring_at(core, i)->site != site ||
		ring_at(core, i)->pool != pool)) {
		i = htab_next(h, i);
	}
	return i;
}

uint32_t
path_get(struct core *core, uint32_t ring, uint32_t source)
{
	struct ring *r = ring_at(core, ring);
	uint32_t i = r->paths;
	struct path *p;

	while (i != NIL && path_at(core, i)->source != source) {
		i = path_at(core, i)->ring_next;
	}
	if (i != NIL) {
		return i;
	}
	i = slab_alloc(&core->paths);
	bug_on(i == NIL); /* limits are far beyond use */
	p = path_at(core, i);
	p->ring = ring;
	p->source = source;
	p->ring_next = r->paths;
	r->paths = i;
	path_new(core, i);
	return i;
}

/* A path for each source of the pool. */
static void
add_paths(struct core *core, uint32_t ring)
{
	const struct pool *p = &core->pools[ring_at(core, ring)->pool];

	for (uint32_t s = p->sources; s != 0; s = core->sources[s - 1].next) {
		(void)path_get(core, ring, s - 1);
	}
}

uint32_t
ring_get(struct core *core, uint32_t site, uint32_t pool)
{
	uint32_t i = ring_find(core, site, pool);
	struct ring *r;

	if (i != NIL) {
		return i;
	}
	i = slab_alloc(&core->rings);
	bug_on(i == NIL); /* limits are far beyond use */
	r = ring_at(core, i);
	r->site = site;
	r->pool = pool;
	r->site_next = site_at(core, site)->rings;
	site_at(core, site)->rings = i;
	site_at(core, site)->used_us = core->now_us;
	list_push(&core->pools[pool].rings, pool_kin(core), i);
	htab_add(&core->ring_by_id, i);
	add_paths(core, i);
	return i;
}

void
ring_wake(struct core *core, uint32_t ring)
{
	struct ring *r = ring_at(core, ring);

	if (!r->is_running && r->nactive > 0 && r->avail != NIL) {
		r->is_running = true;
		list_push(&core->running, run_kin(core), ring);
	}
}

void
ring_stop(struct core *core, uint32_t ring)
{
	ring_at(core, ring)->is_running = false;
	list_remove(&core->running, run_kin(core), ring);
}

bool
ring_is_idle(const struct core *core, uint32_t ring)
{
	const struct ring *r = ring_at(core, ring);

	if (r->queued > 0 || r->inflight > 0 || r->is_running) {
		return false;
	}
	for (uint32_t i = r->paths; i != NIL; i = path_at(core, i)->ring_next) {
		const struct path *p = path_at(core, i);

		if (p->state == PATH_SUSPENDED || p->is_cancelling ||
		    p->is_asking || p->conns > 0 || p->usable > 0) {
			return false;
		}
	}
	return true;
}

/* The site's list of rings is the caller's matter. */
void
ring_free(struct core *core, uint32_t ring)
{
	struct ring *r = ring_at(core, ring);

	while (r->paths != NIL) {
		uint32_t i = r->paths;

		r->paths = path_at(core, i)->ring_next;
		path_free(core, i);
		slab_free(&core->paths, i);
	}
	list_remove(&core->pools[r->pool].rings, pool_kin(core), ring);
	htab_del(&core->ring_by_id, ring);
	slab_free(&core->rings, ring);
}

/* ---- sources
 * -------------------------------------------------------------------- */

static void
source_new(struct core *core, uint32_t source, uint32_t pool)
{
	struct source *s = &core->sources[source];
	struct pool *p = &core->pools[pool];

	s->gate = gate_new(core, CORE_LEVEL_SOURCE, source);
	s->pool = pool;
	s->next = p->sources;
	p->sources = source + 1;
	for (uint32_t i = p->rings; i != NIL;
	     i = list_next(p->rings, pool_kin(core), i)) {
		(void)path_get(core, i, source);
	}
}

int
core_source_set(
    struct core *core, uint32_t source, uint32_t pool, bool is_usable)
{
	struct source *s = &core->sources[source];

	if (source >= CORE_SOURCES || pool >= CORE_SOURCES ||
	    (s->gate != NIL && s->pool != pool)) {
		return -EINVAL;
	}
	if (s->gate == NIL) {
		source_new(core, source, pool);
	}
	gate_at(core, s->gate)->is_shut = !is_usable;
	gate_wake(core, s->gate);
	return 0;
}
