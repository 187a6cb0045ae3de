#include <errno.h>

#include "core_impl.h"

/*
 * Source addresses that are warmed up: how many recipients were tried from
 * each at each provider today, and the gate where paths wait when it is
 * enough. Paths of one provider share it, whichever site they lead to.
 */

#define DAY_S 86400u
#define KEY_SEED 0x7761726d /* the same in every run: keys are stored */
#define ANY CORE_SOURCES    /* in the place of an address: see core_warm_any */
#define COLLECT_SLICE 8u    /* looked at by one turn */

uint64_t
warm_hash(const void *elem, uint64_t seed)
{
	const struct warm *w = elem;

	return mix64(w->provider ^ mix64(seed + w->address));
}

uint64_t
core_provider_key(struct str name)
{
	return hash_bytes(name.p, name.len, KEY_SEED);
}

/* Sites without a provider stand for themselves. */
static uint64_t
site_key(const struct core *core, const struct site *s)
{
	const struct name *n = s->provider == NIL
	    ? &s->name
	    : &provider_at(core, s->provider)->name;

	return core_provider_key((struct str){ n->p, n->len });
}

static uint32_t
today(const struct core *core)
{
	return core->now_s / DAY_S;
}

static uint32_t
find(const struct core *core, uint32_t address, uint64_t provider)
{
	const struct htab *h = &core->warm_by_key;
	struct warm key = { .address = address, .provider = provider };
	uint32_t i = htab_first(h, h->hash(&key, h->seed));

	while (i != NIL &&
	    (warm_at(core, i)->address != address ||
		warm_at(core, i)->provider != provider)) {
		i = htab_next(h, i);
	}
	return i;
}

static uint32_t
get(struct core *core, uint32_t address, uint64_t provider)
{
	uint32_t i = find(core, address, provider);
	struct warm *w;

	if (i != NIL) {
		return i;
	}
	i = slab_alloc(&core->warms);
	bug_on(i == NIL); /* limits are far beyond use */
	w = warm_at(core, i);
	w->address = address;
	w->provider = provider;
	w->gate = gate_new(core, GATE_WARM, i);
	htab_add(&core->warm_by_key, i);
	return i;
}

/* Its counts are today's from here on. */
static struct warm *
renew(struct core *core, uint32_t i)
{
	struct warm *w = warm_at(core, i);

	if (w->day != today(core)) {
		w->day = today(core);
		w->used = 0;
		w->out = 0;
		w->told = 0;
	}
	return w;
}

/* ---- what the schedule asks ---------------------------------------------- */

/* The address of a path's source that has a ceiling, or CORE_NONE. */
static uint32_t
warming(const struct core *core, const struct path *p)
{
	uint32_t address = core->sources[p->source].address;

	return address == 0 || core->ceilings[address - 1] == 0 ? CORE_NONE
								: address - 1;
}

void
warm_prepare(struct core *core, const struct path *p)
{
	uint32_t address = warming(core, p);
	const struct site *s = site_at(core, ring_at(core, p->ring)->site);

	if (address != CORE_NONE) {
		(void)get(core, address, site_key(core, s));
	}
}

uint32_t
warm_gate(const struct core *core, const struct path *p)
{
	uint32_t address = warming(core, p);
	const struct site *s = site_at(core, ring_at(core, p->ring)->site);
	uint32_t i;

	if (address == CORE_NONE) {
		return NIL;
	}
	i = find(core, address, site_key(core, s));
	return i == NIL ? NIL : warm_at(core, i)->gate;
}

uint32_t
warm_left(const struct core *core, uint32_t i)
{
	const struct warm *w = warm_at(core, i);
	uint32_t ceiling = core->ceilings[w->address];
	uint32_t any = find(core, ANY, w->provider);
	uint64_t used = w->day == today(core) ? w->used : 0;

	if (ceiling == 0) {
		return UINT32_MAX;
	}
	if (any != NIL && warm_at(core, any)->day == today(core)) {
		used += warm_at(core, any)->used;
	}
	return used < ceiling ? ceiling - (uint32_t)used : 0;
}

bool
warm_is_used_up(const struct core *core, uint32_t i, uint64_t *until_us)
{
	if (warm_left(core, i) > 0) {
		return false;
	}
	*until_us = (today(core) + 1ULL) * DAY_S * 1000000;
	return true;
}

void
warm_use(struct core *core, uint32_t i)
{
	struct warm *w = renew(core, i);

	w->used++;
	w->out++;
}

void
warm_answered(struct core *core, uint32_t i, uint32_t day)
{
	struct warm *w = warm_at(core, i);

	if (w->day == day && w->out > 0) {
		w->out--;
	}
}

void
warm_unuse(struct core *core, uint32_t i, uint32_t day)
{
	struct warm *w = warm_at(core, i);

	if (w->day == day && w->used > 0) {
		w->used--;
		gate_wake(core, w->gate);
	}
}

static void
collect(struct core *core, uint32_t i)
{
	struct warm *w = warm_at(core, i);

	if (w->gate == NIL || w->day == today(core) ||
	    gate_at(core, w->gate)->inflight > 0 ||
	    gate_at(core, w->gate)->waiters != NIL) {
		return;
	}
	gate_free(core, w->gate);
	htab_del(&core->warm_by_key, i);
	slab_free(&core->warms, i);
}

void
warm_collect(struct core *core)
{
	for (uint32_t n = 0; n < COLLECT_SLICE; n++) {
		if (++core->gc_warm >= core->warms.used) {
			core->gc_warm = 0;
			break;
		}
		collect(core, core->gc_warm);
	}
}

/* ---- what the shell says and asks ---------------------------------------- */

int
core_source_address(struct core *core, uint32_t source, uint32_t address)
{
	if (source >= CORE_SOURCES || address >= CORE_SOURCES) {
		return -EINVAL;
	}
	core->sources[source].address = address + 1;
	return 0;
}

int
core_ceiling_set(struct core *core, uint32_t address, uint32_t ceiling)
{
	if (address >= CORE_SOURCES) {
		return -EINVAL;
	}
	core->ceilings[address] = ceiling;
	for (uint32_t i = 1; i < core->warms.used; i++) {
		const struct warm *w = warm_at(core, i);

		if (w->gate != NIL && w->address == address) {
			gate_wake(core, w->gate);
		}
	}
	return 0;
}

void
core_warm_any(struct core *core, uint32_t site, uint32_t n)
{
	uint32_t i = get(core, ANY, site_key(core, site_at(core, site)));

	renew(core, i)->used += n;
}

void
core_warm_set(struct core *core, const struct core_warm *from)
{
	struct warm *w;

	if (from->address >= CORE_SOURCES || from->day != today(core)) {
		return; /* of a day that is over: it limits nothing */
	}
	w = renew(core, get(core, from->address, from->provider));
	w->used = from->used;
	w->told = from->used;
}

void
core_warm_add(
    struct core *core, uint32_t address, uint64_t provider, uint32_t day)
{
	if (address < CORE_SOURCES && day == today(core)) {
		renew(core, get(core, address, provider))->used++;
	}
}

bool
core_warm_next(
    struct core *core, bool is_untold, uint32_t *at, struct core_warm *out)
{
	while (++*at < core->warms.used) {
		struct warm *w = warm_at(core, *at);
		uint32_t settled = w->used > w->out ? w->used - w->out : 0;

		if (w->gate == NIL || w->address == ANY ||
		    w->day != today(core) || settled == 0 ||
		    (is_untold && settled == w->told)) {
			continue;
		}
		*out = (struct core_warm){ .address = w->address,
			.provider = w->provider,
			.day = w->day,
			.used = settled };
		w->told = settled;
		return true;
	}
	return false;
}
