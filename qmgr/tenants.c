/*
 * What accountd says: tenants with their shares and quotas, the key of return
 * paths. (Source addresses: sources.c.)
 */
#include "tenants.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core_limits.h"
#include "log.h"
#include "map.h"
#include "qmgr.h"
#include "sources.h"

struct tenants {
	struct map *names;  /* to struct tenant */
	struct map *by_id;  /* the same */
	struct map *quotas; /* written last, by id: used + 1 */
};

struct tenant {
	uint32_t account;
	uint32_t subaccount;
	uint32_t keep_s;
	char name[];
};

static uint64_t
id_of(uint32_t account, uint32_t subaccount)
{
	return (uint64_t)account << 32 | subaccount;
}

/* ---- tenants ------------------------------------------------------------ */

static void
forget_name(struct qmgr *q, uint64_t id)
{
	struct tenant *t = map_del_u64(q->tenants->by_id, id);

	if (t != NULL) {
		(void)map_del(q->tenants->names, str_of(t->name));
		free(t);
	}
}

/* Bytes of a queued recipient with its message, at most on the average. */
#define RCPT_BYTES 128

/* Recipients that an account without a limit of its own may have queued. */
static uint32_t
default_limit(const struct conf *c)
{
	uint64_t n =
	    c->queue_memory_limit / RCPT_BYTES / 100 * c->account_queue_share;

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
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
		.queue_limit = m->queue_limit == 0 && m->subaccount == 0
		    ? default_limit(q->conf)
		    : m->queue_limit,
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
		t->keep_s = m->keep_content_s;
		memcpy(t->name, m->name.p, m->name.len);
		(void)map_put_u64(q->tenants->by_id, id, t);
		(void)map_put(q->tenants->names, m->name, t);
	}
	turn_wanted(q);
}

bool
tenants_find(const struct qmgr *q, struct str name, uint32_t *account,
    uint32_t *subaccount)
{
	const struct tenant *t = map_get(q->tenants->names, name);

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
	    map_get_u64(q->tenants->by_id, id_of(account, subaccount));

	return t != NULL ? t->name : "";
}

uint32_t
tenants_keep_s(const struct qmgr *q, uint32_t account, uint32_t subaccount)
{
	const struct tenant *t =
	    map_get_u64(q->tenants->by_id, id_of(account, subaccount));

	if (t == NULL) {
		t = map_get_u64(q->tenants->by_id, id_of(account, 0));
	}
	return t != NULL ? t->keep_s : 0;
}

bool
tenants_next_kept(const struct qmgr *q, size_t *at, uint32_t *account,
    uint32_t *subaccount, uint32_t *keep_s)
{
	struct str key;
	void *value;

	while (map_next(q->tenants->by_id, at, &key, &value)) {
		const struct tenant *t = value;

		/* A subaccount may say that it is not. */
		if (t->keep_s != 0 || t->subaccount != 0) {
			*account = t->account;
			*subaccount = t->subaccount;
			*keep_s = t->keep_s;
			return true;
		}
	}
	return false;
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
	bool is_first = !q->has_tenants;

	sources_end(q);
	q->has_tenants = true;
	if (is_first) {
		release_all(q); /* what to keep of them is known now */
	}
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
		    map_get_u64(q->tenants->quotas, id) == now) {
			continue;
		}
		(void)map_put_u64(q->tenants->quotas, id, now);
		qmgr_write(q, EVENT_quota_used, &e, NULL, 0, 0);
	}
}

/* ---- life --------------------------------------------------------------- */

void
tenants_init(struct qmgr *q)
{
	struct tenants *t = mem_alloc(sizeof(*t));

	t->names = map_new();
	t->by_id = map_new();
	t->quotas = map_new();
	q->tenants = t;
}

void
tenants_fini(struct qmgr *q)
{
	struct tenants *t = q->tenants;

	if (t == NULL) {
		return;
	}
	map_free(&t->quotas, NULL);
	map_free(&t->names, NULL);
	map_free(&t->by_id, free);
	free(t);
	q->tenants = NULL;
	explicit_bzero(q->return_key, sizeof(q->return_key));
}
