/*
 * What accountd says: tenants with their shares and quotas, source addresses
 * with their pools, the key of return paths.
 */
#include "tenants.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core_limits.h"
#include "log.h"
#include "map.h"
#include "qmgr.h"

struct source {
	char *ip;   /* "": the system's choice */
	char *name; /* EHLO name; "": myhostname */
	uint32_t pool;
	bool is_usable;
	bool is_fallback; /* used while its pool has no other */
	bool is_deleted;
};

struct sources {
	struct source *all; /* by number */
	uint32_t n;
	char **pools; /* names by number; 0 is the default pool */
	uint32_t n_pools;
	struct map *names;  /* of tenants, to struct tenant */
	struct map *by_id;  /* the same */
	struct map *quotas; /* written last, by id: used + 1 */
};

struct tenant {
	uint32_t account;
	uint32_t subaccount;
	char name[];
};

static uint64_t
id_of(uint32_t account, uint32_t subaccount)
{
	return (uint64_t)account << 32 | subaccount;
}

/* ---- sources and pools -------------------------------------------------- */

static void
tell_core(struct qmgr *q, uint32_t number)
{
	const struct source *s = &q->sources->all[number];

	if (core_source_set(q->core, number, s->pool, s->is_usable) < 0) {
		log_error("source address %s: too many sources", s->ip);
	}
}

static uint32_t
add_source(struct qmgr *q, struct str ip, struct str name, uint32_t pool)
{
	struct sources *t = q->sources;
	struct source *s;

	t->all = mem_resize(t->all, (t->n + 1) * sizeof(*t->all));
	s = &t->all[t->n];
	*s = (struct source){
		.ip = str_dup(ip), .name = str_dup(name), .pool = pool
	};
	return t->n++;
}

/* A pool sends from the system's choice while it has nothing of its own. */
static void
check_fallback(struct qmgr *q, uint32_t pool)
{
	struct sources *t = q->sources;
	bool is_needed = true;

	for (uint32_t i = 0; i < t->n; i++) {
		if (t->all[i].pool == pool && !t->all[i].is_fallback &&
		    !t->all[i].is_deleted) {
			is_needed = false;
		}
	}
	for (uint32_t i = 0; i < t->n; i++) {
		struct source *s = &t->all[i];

		if (s->pool == pool && s->is_fallback &&
		    s->is_usable != is_needed) {
			s->is_usable = is_needed;
			tell_core(q, i);
		}
	}
}

static void
add_pool(struct qmgr *q, struct str name)
{
	struct sources *t = q->sources;
	uint32_t pool = t->n_pools++;
	uint32_t number;

	t->pools = mem_resize(t->pools, t->n_pools * sizeof(*t->pools));
	t->pools[pool] = str_dup(name);
	number = add_source(q, STR(""), STR(""), pool);
	t->all[number].is_fallback = true;
	check_fallback(q, pool);
}

uint32_t
tenants_pool(struct qmgr *q, struct str name)
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
tenants_pool_name(const struct qmgr *q, uint32_t pool)
{
	bug_on(pool >= q->sources->n_pools);
	return str_of(q->sources->pools[pool]);
}

struct str
tenants_source_ip(const struct qmgr *q, uint32_t source)
{
	return str_of(q->sources->all[source].ip);
}

struct str
tenants_source_name(const struct qmgr *q, uint32_t source)
{
	return str_of(q->sources->all[source].name);
}

uint32_t
tenants_source_default(const struct qmgr *q)
{
	for (uint32_t i = 0; i < q->sources->n; i++) {
		if (q->sources->all[i].pool == 0 &&
		    q->sources->all[i].is_usable) {
			return i;
		}
	}
	return 0;
}

static uint32_t
find_source(const struct qmgr *q, struct str ip, uint32_t pool)
{
	const struct sources *t = q->sources;

	for (uint32_t i = 0; i < t->n; i++) {
		if (t->all[i].pool == pool && str_is(ip, t->all[i].ip)) {
			return i;
		}
	}
	return CORE_NONE;
}

void
tenants_source_set(struct qmgr *q, const struct ipc_source *m)
{
	uint32_t pool = tenants_pool(q, m->pool);
	uint32_t number = find_source(q, m->ip, pool);
	struct source *s;

	if (number == CORE_NONE) {
		if (m->is_deleted || q->sources->n >= CORE_SOURCES) {
			return;
		}
		number = add_source(q, m->ip, m->name, pool);
	}
	s = &q->sources->all[number];
	free(s->name);
	s->name = str_dup(m->name);
	s->is_deleted = m->is_deleted;
	s->is_usable = m->is_usable && !m->is_deleted;
	tell_core(q, number);
	check_fallback(q, pool);
	turn_wanted(q);
}

static int
add_interface(void *arg, const char *word, size_t len)
{
	struct qmgr *q = arg;
	uint32_t n = add_source(q, (struct str){ word, len }, STR(""), 0);

	q->sources->all[n].is_usable = true;
	tell_core(q, n);
	return 0;
}

/* ---- tenants ------------------------------------------------------------ */

static void
forget_name(struct qmgr *q, uint64_t id)
{
	struct tenant *t = map_del_u64(q->sources->by_id, id);

	if (t != NULL) {
		(void)map_del(q->sources->names, str_of(t->name));
		free(t);
	}
}

void
tenants_set(struct qmgr *q, const struct ipc_tenant *m)
{
	struct core_tenant c = {
		.account = m->account,
		.subaccount = m->subaccount,
		.weight = m->weight,
		.hourly_quota = m->hourly_quota,
		.max_conn = m->max_connections,
		.is_paused = m->is_paused,
	};
	uint64_t id = id_of(m->account, m->subaccount);
	struct tenant *t;

	if (m->is_deleted) {
		/* What was accepted still goes out, without any limit kept. */
		c = (struct core_tenant){ .account = m->account,
			.subaccount = m->subaccount,
			.weight = CORE_WEIGHT_DEFAULT };
	}
	core_tenant_set(q->core, &c);
	forget_name(q, id);
	if (!m->is_deleted) {
		t = mem_alloc(sizeof(*t) + m->name.len + 1);
		t->account = m->account;
		t->subaccount = m->subaccount;
		memcpy(t->name, m->name.p, m->name.len);
		(void)map_put_u64(q->sources->by_id, id, t);
		(void)map_put(q->sources->names, m->name, t);
	}
	turn_wanted(q);
}

bool
tenants_find(const struct qmgr *q, struct str name, uint32_t *account,
    uint32_t *subaccount)
{
	const struct tenant *t = map_get(q->sources->names, name);

	if (t == NULL) {
		return false;
	}
	*account = t->account;
	*subaccount = t->subaccount;
	return true;
}

const char *
tenants_name(const struct qmgr *q, uint32_t account, uint32_t subaccount)
{
	const struct tenant *t =
	    map_get_u64(q->sources->by_id, id_of(account, subaccount));

	return t != NULL ? t->name : "";
}

void
tenants_key(struct qmgr *q, const struct ipc_return_key *m)
{
	if (m->key.len != sizeof(q->return_key)) {
		log_error("accountd's key for return paths has %zu bytes",
		    m->key.len);
		return;
	}
	memcpy(q->return_key, m->key.p, sizeof(q->return_key));
	q->has_return_key = true;
	reconcile_check(q);
}

void
tenants_end(struct qmgr *q)
{
	q->has_tenants = true;
	reconcile_check(q);
}

void
tenants_write_quotas(struct qmgr *q)
{
	struct core_tenant_view v;
	uint32_t at = 0;

	while (core_tenant_next(q->core, &at, &v)) {
		uint64_t id = id_of(v.account, v.subaccount);
		void *now = (void *)((uintptr_t)v.quota_hour << 32 |
		    (v.quota_used & 0xffffffff));
		struct event_quota_used e = {
			.account = v.account,
			.subaccount = v.subaccount,
			.hour_us = v.quota_hour * 3600 * US_PER_S,
			.used = v.quota_used,
		};

		if (v.quota == 0 || v.quota_used == 0 ||
		    map_get_u64(q->sources->quotas, id) == now) {
			continue;
		}
		(void)map_put_u64(q->sources->quotas, id, now);
		qmgr_write(q, EVENT_quota_used, &e, NULL, 0, 0);
	}
}

/* ---- life --------------------------------------------------------------- */

void
tenants_init(struct qmgr *q)
{
	struct sources *t = mem_alloc(sizeof(*t));

	t->names = map_new();
	t->by_id = map_new();
	t->quotas = map_new();
	q->sources = t;
	add_pool(q, STR(""));
	(void)conf_list_each(q->conf->inet_interfaces_out, add_interface, q);
	check_fallback(q, 0);
}

void
tenants_tell_core(struct qmgr *q)
{
	for (uint32_t i = 0; i < q->sources->n; i++) {
		tell_core(q, i);
	}
}

void
tenants_fini(struct qmgr *q)
{
	struct sources *t = q->sources;

	if (t == NULL) {
		return;
	}
	for (uint32_t i = 0; i < t->n; i++) {
		free(t->all[i].ip);
		free(t->all[i].name);
	}
	for (uint32_t i = 0; i < t->n_pools; i++) {
		free(t->pools[i]);
	}
	free(t->all);
	free(t->pools);
	map_free(&t->quotas, NULL);
	map_free(&t->names, NULL);
	map_free(&t->by_id, free);
	free(t);
	q->sources = NULL;
	explicit_bzero(q->return_key, sizeof(q->return_key));
}
