#include "sources.h"

#include <string.h>

#include "core_limits.h"
#include "core_name.h"
#include "core_view.h"
#include "log.h"
#include "paths.h"
#include "qmgr.h"

/* In the place of an address of a source. */
#define SYSTEM UINT32_MAX	/* the system's choice */
#define NOBODY (UINT32_MAX - 1) /* no address serves: jobs are deferred */

struct address {
	char *ip;
	char *name;   /* EHLO name; "": myhostname */
	char *reason; /* why it is not good */
	uint32_t pool;
	uint32_t ceiling;
	bool is_good;
	bool is_named; /* by this accountd */
	bool is_gone;
	bool is_static;	 /* of inet_interfaces_out */
	bool is_warming; /* source_used events are about it */
};

/* What the core knows under a number: an address as a pool uses it. */
struct source {
	uint32_t address; /* index, or one of those above */
	uint32_t pool;
	bool is_usable;
};

struct sources {
	struct source *all; /* by the core's number */
	uint32_t n;
	struct address *addresses;
	uint32_t n_addresses;
	char **pools; /* names by number; 0 is the default pool */
	uint32_t n_pools;
	bool is_full;
};

/* ---- what the core knows ------------------------------------------------ */

static void
tell_core(struct qmgr *q, uint32_t number)
{
	const struct source *s = &q->sources->all[number];

	if (core_source_set(q->core, number, s->pool, s->is_usable) < 0 ||
	    (s->address < CORE_SOURCES &&
		core_source_address(q->core, number, s->address) < 0)) {
		log_error("source %u: the core does not take it", number);
		return;
	}
	paths_source(q, number);
}

/* The number of an address as the pool uses it; CORE_NONE: too many. */
static uint32_t
get_source(struct qmgr *q, uint32_t address, uint32_t pool)
{
	struct sources *t = q->sources;

	for (uint32_t i = 0; i < t->n; i++) {
		if (t->all[i].address == address && t->all[i].pool == pool) {
			return i;
		}
	}
	if (t->n >= CORE_SOURCES) {
		if (!t->is_full) {
			log_error("too many source addresses and pools: some "
				  "are not used");
		}
		t->is_full = true;
		return CORE_NONE;
	}
	t->all = mem_resize(t->all, (t->n + 1) * sizeof(*t->all));
	t->all[t->n] = (struct source){ .address = address, .pool = pool };
	tell_core(q, t->n);
	return t->n++;
}

static void
set_ceiling(struct qmgr *q, uint32_t address, uint32_t ceiling)
{
	q->sources->addresses[address].ceiling = ceiling;
	if (core_ceiling_set(q->core, address, ceiling) < 0) {
		log_error("source address %s: the core does not take it",
		    q->sources->addresses[address].ip);
	}
}

void
sources_tell_core(struct qmgr *q)
{
	for (uint32_t i = 0; i < q->sources->n; i++) {
		tell_core(q, i);
	}
	for (uint32_t i = 0; i < q->sources->n_addresses; i++) {
		set_ceiling(q, i, q->sources->addresses[i].ceiling);
	}
}

/* ---- which addresses serve a pool --------------------------------------- */

/* Whose addresses a pool uses now. */
enum supply {
	SUPPLY_OWN,
	SUPPLY_DEFAULT, /* those of the default pool */
	SUPPLY_SYSTEM,
	SUPPLY_NOBODY,
};

static enum supply
own_supply(const struct sources *t, uint32_t pool)
{
	enum supply found = SUPPLY_SYSTEM;

	for (uint32_t i = 0; i < t->n_addresses; i++) {
		const struct address *a = &t->addresses[i];

		if (a->is_gone || a->pool != pool) {
			continue;
		}
		if (a->is_good) {
			return SUPPLY_OWN;
		}
		found = SUPPLY_NOBODY;
	}
	return found;
}

static enum supply
supply_of(const struct qmgr *q, uint32_t pool)
{
	enum supply own = own_supply(q->sources, pool);
	bool may_fall = strcmp(q->conf->source_pool_fallback, "default") == 0;

	if (pool == 0 || own == SUPPLY_OWN ||
	    (own == SUPPLY_NOBODY && !may_fall)) {
		return own;
	}
	own = own_supply(q->sources, 0);
	return own == SUPPLY_OWN ? SUPPLY_DEFAULT : own;
}

static bool
is_supplied(const struct sources *t, const struct source *s, enum supply supply)
{
	const struct address *a;

	if (s->address == SYSTEM || s->address == NOBODY) {
		return (s->address == SYSTEM && supply == SUPPLY_SYSTEM) ||
		    (s->address == NOBODY && supply == SUPPLY_NOBODY);
	}
	a = &t->addresses[s->address];
	if (a->is_gone || !a->is_good) {
		return false;
	}
	return (supply == SUPPLY_OWN && a->pool == s->pool) ||
	    (supply == SUPPLY_DEFAULT && a->pool == 0);
}

/* The sources that the pool may need from now on are there. */
static void
make_sources(struct qmgr *q, uint32_t pool, enum supply supply)
{
	struct sources *t = q->sources;

	if (supply == SUPPLY_SYSTEM || supply == SUPPLY_NOBODY) {
		(void)get_source(
		    q, supply == SUPPLY_SYSTEM ? SYSTEM : NOBODY, pool);
		return;
	}
	for (uint32_t i = 0; i < t->n_addresses; i++) {
		const struct address *a = &t->addresses[i];

		if (!a->is_gone && a->is_good &&
		    a->pool == (supply == SUPPLY_OWN ? pool : 0)) {
			(void)get_source(q, i, pool);
		}
	}
}

static void
settle_pool(struct qmgr *q, uint32_t pool)
{
	struct sources *t = q->sources;
	enum supply supply = supply_of(q, pool);

	make_sources(q, pool, supply);
	for (uint32_t i = 0; i < t->n; i++) {
		struct source *s = &t->all[i];
		bool is_usable = is_supplied(t, s, supply);

		if (s->pool == pool && s->is_usable != is_usable) {
			s->is_usable = is_usable;
			tell_core(q, i);
		}
	}
}

/* The default pool's addresses may serve any pool. */
static void
settle(struct qmgr *q, uint32_t pool)
{
	settle_pool(q, pool);
	for (uint32_t i = 1; pool == 0 && i < q->sources->n_pools; i++) {
		settle_pool(q, i);
	}
	turn_wanted(q);
}

/* ---- pools -------------------------------------------------------------- */

static void
add_pool(struct qmgr *q, struct str name)
{
	struct sources *t = q->sources;
	uint32_t pool = t->n_pools++;

	t->pools = mem_resize(t->pools, t->n_pools * sizeof(*t->pools));
	t->pools[pool] = str_dup(name);
	settle_pool(q, pool);
}

uint32_t
sources_pool(struct qmgr *q, struct str name)
{
	struct sources *t = q->sources;

	for (uint32_t i = 0; i < t->n_pools; i++) {
		if (str_is(name, t->pools[i])) {
			return i;
		}
	}
	if (t->n_pools >= CORE_SOURCES / 2) {
		return 0;
	}
	add_pool(q, name);
	return t->n_pools - 1;
}

struct str
sources_pool_name(const struct qmgr *q, uint32_t pool)
{
	bug_on(pool >= q->sources->n_pools);
	return str_of(q->sources->pools[pool]);
}

/* ---- addresses ---------------------------------------------------------- */

static struct address *
find_address(struct sources *t, struct str ip)
{
	for (uint32_t i = 0; i < t->n_addresses; i++) {
		if (str_is(ip, t->addresses[i].ip)) {
			return &t->addresses[i];
		}
	}
	return NULL;
}

static struct address *
add_address(struct sources *t, struct str ip)
{
	struct address *a;

	t->addresses = mem_resize(
	    t->addresses, (t->n_addresses + 1) * sizeof(*t->addresses));
	a = &t->addresses[t->n_addresses++];
	*a = (struct address){ .ip = str_dup(ip),
		.name = str_dup(STR("")),
		.reason = str_dup(STR("")) };
	return a;
}

static void
renew(char **text, struct str value)
{
	free(*text);
	*text = str_dup(value);
}

/* What inet_interfaces_out names stays, as it says it. */
static void
withdraw(struct qmgr *q, struct address *a)
{
	uint32_t pool = a->pool;

	a->is_gone = !a->is_static;
	a->is_good = a->is_static;
	set_ceiling(q, (uint32_t)(a - q->sources->addresses), 0);
	a->pool = a->is_static ? 0 : a->pool;
	renew(&a->name, STR(""));
	settle(q, pool);
	settle(q, a->pool);
}

void
sources_set(struct qmgr *q, const struct ipc_source *m)
{
	struct address *a = find_address(q->sources, m->ip);
	uint32_t pool = sources_pool(q, m->pool);
	uint32_t before;

	if (a == NULL) {
		if (m->is_deleted || q->sources->n_addresses >= CORE_SOURCES) {
			return;
		}
		a = add_address(q->sources, m->ip);
		a->pool = pool;
	}
	if (m->is_deleted) {
		withdraw(q, a);
		return;
	}
	before = a->pool;
	a->pool = pool;
	a->is_named = true;
	a->is_gone = false;
	a->is_good = m->is_usable;
	renew(&a->name, m->name);
	settle(q, before);
	if (pool != before) {
		settle(q, pool);
	}
}

void
sources_plan(struct qmgr *q, const struct ipc_source_plan *m)
{
	struct address *a = find_address(q->sources, m->ip);

	if (a == NULL) {
		return;
	}
	renew(&a->reason, m->reason);
	set_ceiling(q, (uint32_t)(a - q->sources->addresses), m->ceiling);
	if (m->ceiling == 0) {
		a->is_warming = false;
	} else if (!a->is_warming) {
		a->is_warming = true;
		qmgr_write(q, EVENT_source_used,
		    &(struct event_source_used){ .ip = m->ip }, NULL, 0, 0);
	}
	turn_wanted(q);
}

void
sources_begin(struct qmgr *q)
{
	for (uint32_t i = 0; i < q->sources->n_addresses; i++) {
		q->sources->addresses[i].is_named = false;
	}
}

void
sources_end(struct qmgr *q)
{
	for (uint32_t i = 0; i < q->sources->n_addresses; i++) {
		struct address *a = &q->sources->addresses[i];

		if (!a->is_named && !a->is_gone) {
			withdraw(q, a);
		}
	}
}

/* ---- looking ------------------------------------------------------------ */

static const struct address *
address_of(const struct qmgr *q, uint32_t source)
{
	uint32_t i = q->sources->all[source].address;

	return i == SYSTEM || i == NOBODY ? NULL : &q->sources->addresses[i];
}

uint32_t
sources_count(const struct qmgr *q)
{
	return q->sources->n;
}

struct str
sources_ip(const struct qmgr *q, uint32_t source)
{
	const struct address *a = address_of(q, source);

	return a != NULL ? str_of(a->ip) : STR("");
}

struct str
sources_name(const struct qmgr *q, uint32_t source)
{
	const struct address *a = address_of(q, source);

	return a != NULL ? str_of(a->name) : STR("");
}

bool
sources_next(
    const struct qmgr *q, uint32_t pool, uint32_t *at, uint32_t *source)
{
	const struct sources *t = q->sources;

	while (*at < t->n &&
	    (t->all[*at].pool != pool || !t->all[*at].is_usable)) {
		(*at)++;
	}
	*source = *at;
	return (*at)++ < t->n;
}

uint32_t
sources_ceiling(const struct qmgr *q, uint32_t source, uint32_t *address)
{
	const struct address *a = address_of(q, source);

	*address = q->sources->all[source].address;
	return a != NULL ? a->ceiling : 0;
}

uint32_t
sources_default(const struct qmgr *q)
{
	for (uint32_t i = 0; i < q->sources->n; i++) {
		if (q->sources->all[i].pool == 0 &&
		    q->sources->all[i].is_usable) {
			return i;
		}
	}
	return 0;
}

bool
sources_is_nobody(const struct qmgr *q, uint32_t source, struct buf *reason)
{
	const struct sources *t = q->sources;
	uint32_t pool = t->all[source].pool;
	const char *before = ": ";

	if (t->all[source].address != NOBODY) {
		return false;
	}
	if (own_supply(t, pool) == SUPPLY_SYSTEM) {
		pool = 0; /* it has no address: the default pool's count */
	}
	buf_printf(reason, "no source address of the %s%s is in service",
	    pool == 0 ? "default pool" : "pool ",
	    pool == 0 ? "" : t->pools[pool]);
	for (uint32_t i = 0; i < t->n_addresses && reason->len < 1000; i++) {
		const struct address *a = &t->addresses[i];

		if (!a->is_gone && a->pool == pool) {
			buf_printf(
			    reason, "%s%s: %s", before, a->ip, a->reason);
			before = "; ";
		}
	}
	return true;
}

struct str
sources_address_ip(const struct qmgr *q, uint32_t address)
{
	bug_on(address >= q->sources->n_addresses);
	return str_of(q->sources->addresses[address].ip);
}

uint32_t
sources_warming(const struct qmgr *q, struct str ip)
{
	const struct address *a =
	    ip.len > 0 ? find_address(q->sources, ip) : NULL;

	return a != NULL && a->is_warming
	    ? (uint32_t)(a - q->sources->addresses)
	    : CORE_NONE;
}

bool
sources_next_warming(const struct qmgr *q, uint32_t *at, struct str *ip)
{
	while (*at < q->sources->n_addresses) {
		const struct address *a = &q->sources->addresses[(*at)++];

		if (a->is_warming) {
			*ip = str_of(a->ip);
			return true;
		}
	}
	return false;
}

uint32_t
sources_make_warming(struct qmgr *q, struct str ip)
{
	struct sources *t = q->sources;
	struct address *a = find_address(t, ip);

	if (a == NULL && t->n_addresses >= CORE_SOURCES) {
		return CORE_NONE;
	}
	if (a == NULL) {
		a = add_address(t, ip);
		a->is_gone = true; /* until accountd names it */
	}
	a->is_warming = true;
	return (uint32_t)(a - t->addresses);
}

/* ---- addresses that a site cannot be reached from ----------------------- */

bool
sources_unfit(struct qmgr *q, uint32_t path, const struct ipc_result *r)
{
	struct core_path_view v;
	struct core_path_view other;
	uint32_t at = path - 1;
	bool is_found = false;

	if (path == 0 || !core_path_next(q->core, &at, &v) || v.path != path ||
	    !str_eq(sources_ip(q, v.source), r->source_ip) ||
	    !str_eq(core_site_name(q->core, v.site), r->mx_site)) {
		return false; /* a path of the run before */
	}
	at = 0;
	while (!is_found && core_path_next(q->core, &at, &other)) {
		is_found = other.site == v.site && other.pool == v.pool &&
		    other.path != path &&
		    q->sources->all[other.source].is_usable &&
		    other.state != CORE_PATH_SUSPENDED;
	}
	return is_found &&
	    core_path_suspend(
		q->core, path, qmgr_now(q) + q->conf->source_unfit_time) == 0;
}

/* ---- life --------------------------------------------------------------- */

static int
add_interface(void *arg, const char *word, size_t len)
{
	struct qmgr *q = arg;
	struct str ip = { word, len };
	struct address *a = find_address(q->sources, ip);

	if (a == NULL) {
		a = add_address(q->sources, ip);
	}
	a->is_static = true;
	a->is_good = true;
	return 0;
}

void
sources_init(struct qmgr *q)
{
	q->sources = mem_alloc(sizeof(*q->sources));
	(void)conf_list_each(q->conf->inet_interfaces_out, add_interface, q);
	add_pool(q, STR(""));
}

void
sources_fini(struct qmgr *q)
{
	struct sources *t = q->sources;

	if (t == NULL) {
		return;
	}
	for (uint32_t i = 0; i < t->n_addresses; i++) {
		free(t->addresses[i].ip);
		free(t->addresses[i].name);
		free(t->addresses[i].reason);
	}
	for (uint32_t i = 0; i < t->n_pools; i++) {
		free(t->pools[i]);
	}
	free(t->addresses);
	free(t->all);
	free(t->pools);
	free(t);
	q->sources = NULL;
}
