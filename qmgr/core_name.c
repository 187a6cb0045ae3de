#include "core_name.h"

#include "buf.h"
#include "core_impl.h"

#define NAME_OVERHEAD 24u /* of an allocation, for the accounts of memory */
#define COLLECT_SLICE 32u /* looked at by one turn */

/* Domains, sites and providers begin with their name. */
static uint32_t
name_find(const struct htab *h, struct str name)
{
	uint32_t i = htab_first(h, hash_bytes(name.p, name.len, h->seed));

	while (i != NIL) {
		const struct name *n = slab_at(h->slab, i);

		if (str_eq((struct str){ n->p, n->len }, name)) {
			return i;
		}
		i = htab_next(h, i);
	}
	return NIL;
}

static uint32_t
name_add(struct core *core, struct slab *slab, struct htab *h, struct str name)
{
	uint32_t i = slab_alloc(slab);
	struct name *n = slab_at(slab, i);

	bug_on(i == NIL || name.len == 0); /* limits are far beyond use */
	n->p = mem_dup(name.p, name.len);
	n->len = (uint32_t)name.len;
	core->name_bytes += name.len + NAME_OVERHEAD;
	htab_add(h, i);
	return i;
}

static void
name_free(struct core *core, struct slab *slab, struct htab *h, uint32_t i)
{
	struct name *n = slab_at(slab, i);

	htab_del(h, i);
	core->name_bytes -= n->len + NAME_OVERHEAD;
	free(n->p);
	slab_free(slab, i);
}

static struct str
name_str(const struct slab *slab, uint32_t i)
{
	const struct name *n = slab_at(slab, i);

	if (i == NIL || i >= slab->used) {
		return (struct str){ 0 };
	}
	return (struct str){ n->p, n->len };
}

static uint32_t
or_none(uint32_t i)
{
	return i == NIL ? CORE_NONE : i;
}

uint32_t
core_domain_find(const struct core *core, struct str name)
{
	return or_none(name_find(&core->domain_by_name, name));
}

uint32_t
core_site_find(const struct core *core, struct str name)
{
	return or_none(name_find(&core->site_by_name, name));
}

uint32_t
core_provider_find(const struct core *core, struct str name)
{
	return or_none(name_find(&core->provider_by_name, name));
}

struct str
core_domain_name(const struct core *core, uint32_t domain)
{
	return name_str(&core->domains, domain);
}

struct str
core_site_name(const struct core *core, uint32_t site)
{
	return name_str(&core->sites, site);
}

struct str
core_provider_name(const struct core *core, uint32_t provider)
{
	return name_str(&core->providers, provider);
}

uint32_t
core_domain(struct core *core, struct str name)
{
	uint32_t i = name_find(&core->domain_by_name, name);

	return i != NIL
	    ? i
	    : name_add(core, &core->domains, &core->domain_by_name, name);
}

uint32_t
core_site(struct core *core, struct str name, bool *is_new)
{
	uint32_t i = name_find(&core->site_by_name, name);

	if (is_new != NULL) {
		*is_new = i == NIL;
	}
	if (i == NIL) {
		i = name_add(core, &core->sites, &core->site_by_name, name);
		site_at(core, i)->gate = gate_new(core, CORE_LEVEL_SITE, i);
	}
	site_at(core, i)->used_us = core->now_us;
	return i;
}

uint32_t
core_provider(struct core *core, struct str name, bool *is_new)
{
	uint32_t i = name_find(&core->provider_by_name, name);

	if (is_new != NULL) {
		*is_new = i == NIL;
	}
	if (i == NIL) {
		i = name_add(
		    core, &core->providers, &core->provider_by_name, name);
		provider_at(core, i)->gate =
		    gate_new(core, CORE_LEVEL_PROVIDER, i);
	}
	return i;
}

/* The paths that wait for the provider's limits wait no more. */
static void
leave_provider(struct core *core, const struct site *s)
{
	struct provider *p = provider_at(core, s->provider);

	for (uint32_t r = s->rings; r != NIL; r = ring_at(core, r)->site_next) {
		for (uint32_t i = ring_at(core, r)->paths; i != NIL;
		     i = path_at(core, i)->ring_next) {
			for (uint32_t g = p->gate; g != NIL;
			     g = gate_at(core, g)->next) {
				path_unpark(core, i, g);
			}
		}
	}
	p->refs--;
}

/* Connections of its paths count at another provider. */
static void
count_conns(struct core *core, const struct site *s, int sign)
{
	for (uint32_t r = s->rings; r != NIL; r = ring_at(core, r)->site_next) {
		for (uint32_t i = ring_at(core, r)->paths; i != NIL;
		     i = path_at(core, i)->ring_next) {
			conn_count(core, i, sign);
		}
	}
}

void
site_provider(struct core *core, uint32_t site, uint32_t provider)
{
	struct site *s = site_at(core, site);

	if (provider == CORE_NONE) {
		provider = NIL;
	}
	if (provider == s->provider) {
		return;
	}
	count_conns(core, s, -1);
	if (s->provider != NIL) {
		leave_provider(core, s);
	}
	if (provider != NIL) {
		provider_at(core, provider)->refs++;
	}
	s->provider = provider;
	count_conns(core, s, 1);
}

void
core_site_belongs(struct core *core, uint32_t site, uint32_t provider)
{
	if (site_at(core, site)->provider == NIL) {
		site_provider(core, site, provider);
	}
}

/* ---- what nothing refers to any more ------------------------------------ */

static void
collect_domain(struct core *core, uint32_t i)
{
	const struct domain *d = domain_at(core, i);

	if (d->name.p == NULL || d->refs > 0 || d->is_asking || d->is_to_ask ||
	    d->is_moving || d->timer != NIL || d->until_us > core->now_us) {
		return;
	}
	site_unref(core, d->site);
	name_free(core, &core->domains, &core->domain_by_name, i);
}

static void
drop_provider(struct core *core, uint32_t i)
{
	const struct provider *p = provider_at(core, i);

	if (i == NIL || p->refs > 0 || !gates_are_idle(core, p->gate)) {
		return;
	}
	gates_free(core, p->gate);
	name_free(core, &core->providers, &core->provider_by_name, i);
}

static void
collect_site(struct core *core, uint32_t i)
{
	struct site *s = site_at(core, i);
	uint32_t provider = s->provider;

	if (s->name.p == NULL || s->refs > 0 || core->relay == i ||
	    core->now_us - s->used_us < SITE_IDLE_US ||
	    !gates_are_idle(core, s->gate)) {
		return;
	}
	for (uint32_t r = s->rings; r != NIL; r = ring_at(core, r)->site_next) {
		if (!ring_is_idle(core, r)) {
			return;
		}
	}
	while (s->rings != NIL) {
		uint32_t r = s->rings;

		s->rings = ring_at(core, r)->site_next;
		ring_free(core, r);
	}
	site_provider(core, i, CORE_NONE);
	drop_provider(core, provider);
	gates_free(core, s->gate);
	name_free(core, &core->sites, &core->site_by_name, i);
}

void
name_collect(struct core *core)
{
	for (uint32_t n = 0; n < COLLECT_SLICE; n++) {
		if (++core->gc_domain >= core->domains.used) {
			core->gc_domain = 0;
			break;
		}
		collect_domain(core, core->gc_domain);
	}
	for (uint32_t n = 0; n < COLLECT_SLICE; n++) {
		if (++core->gc_site >= core->sites.used) {
			core->gc_site = 0;
			break;
		}
		collect_site(core, core->gc_site);
	}
}

void
name_fini(struct core *core)
{
	for (uint32_t i = 1; i < core->domains.used; i++) {
		free(domain_at(core, i)->name.p);
	}
	for (uint32_t i = 1; i < core->sites.used; i++) {
		free(site_at(core, i)->name.p);
	}
	for (uint32_t i = 1; i < core->providers.used; i++) {
		free(provider_at(core, i)->name.p);
	}
}
