#include "model.h"

#include <errno.h>
#include <string.h>

#include "change.h"

void
model_key_u32(struct buf *out, uint32_t n)
{
	const uint8_t be[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16),
		(uint8_t)(n >> 8), (uint8_t)n };

	buf_add(out, be, sizeof(be));
}

static void
account_free(void *p)
{
	struct account *a = p;

	if (a != NULL) {
		buf_fini(&a->stored);
		free(a->full_name);
		free(a);
	}
}

static void
key_free(void *p)
{
	struct key *k = p;

	if (k != NULL) {
		buf_fini(&k->stored);
		free(k);
	}
}

static void
domain_free(void *p)
{
	struct domain *d = p;

	if (d != NULL) {
		buf_fini(&d->stored);
		free(d);
	}
}

static void
hook_free(void *p)
{
	struct hook *h = p;

	if (h != NULL) {
		if (h->stored.p != NULL) {
			explicit_bzero(h->stored.p, h->stored.cap);
		}
		buf_fini(&h->stored);
		free(h);
	}
}

static void
source_free(void *p)
{
	struct source *s = p;

	if (s != NULL) {
		buf_fini(&s->stored);
		free(s);
	}
}

/* ---- taking in what the store holds -------------------------------------- */

static void
drop_account(struct model *m, struct account *old)
{
	if (old != NULL) {
		(void)map_del(m->names, str_of(old->full_name));
		account_free(old);
	}
}

static char *
join_names(const struct account *parent, struct str name)
{
	struct buf b = { 0 };
	char *joined;

	if (parent != NULL) {
		buf_printf(&b, "%s/", parent->full_name);
	}
	buf_add(&b, name.p, name.len);
	joined = str_dup(buf_str(&b));
	buf_fini(&b);
	return joined;
}

static int
put_account(struct model *m, struct str stored)
{
	struct account *a = mem_alloc(sizeof(*a));
	const struct account *parent = NULL;
	int r;

	buf_add(&a->stored, stored.p, stored.len);
	r = schema_decode(SCHEMA_account, buf_str(&a->stored), &a->r);
	if (r == 0 && a->r.parent != 0) {
		/* Ids rise, so the parent has been loaded before. */
		parent = model_account(m, a->r.parent);
		r = parent == NULL ? -EBADMSG : 0;
	}
	if (r < 0) {
		account_free(a);
		return r;
	}
	a->full_name = join_names(parent, a->r.name);
	drop_account(m, map_put_u64(m->accounts, a->r.id, a));
	(void)map_put(m->names, str_of(a->full_name), a); /* was dropped */
	return 0;
}

static void
link_key(struct model *m, struct key *k)
{
	struct keys *of = map_get_u64(m->keys_of, k->r.account);

	if (of == NULL) {
		of = mem_alloc(sizeof(*of));
		LIST_INIT(of);
		(void)map_put_u64(m->keys_of, k->r.account, of); /* new */
	}
	LIST_INSERT_HEAD(of, k, of_account);
}

static void
drop_key(struct model *m, struct key *old)
{
	struct keys *of;

	if (old == NULL) {
		return;
	}
	LIST_REMOVE(old, of_account);
	of = map_get_u64(m->keys_of, old->r.account);
	if (of != NULL && LIST_EMPTY(of)) {
		free(map_del_u64(m->keys_of, old->r.account));
	}
	key_free(old);
}

static int
put_key(struct model *m, struct str stored)
{
	struct key *k = mem_alloc(sizeof(*k));
	int r;

	buf_add(&k->stored, stored.p, stored.len);
	r = schema_decode(SCHEMA_key, buf_str(&k->stored), &k->r);
	if (r < 0) {
		key_free(k);
		return r;
	}
	link_key(m, k);
	drop_key(m, map_put_u64(m->keys, k->r.id, k));
	return 0;
}

static int
put_hook(struct model *m, struct str stored)
{
	struct hook *h = mem_alloc(sizeof(*h));
	int r;

	buf_add(&h->stored, stored.p, stored.len);
	r = schema_decode(SCHEMA_hook, buf_str(&h->stored), &h->r);
	if (r < 0) {
		hook_free(h);
		return r;
	}
	hook_free(map_put_u64(m->hooks, h->r.id, h));
	return 0;
}

static int
put_source(struct model *m, struct str key, struct str stored)
{
	struct source *s = mem_alloc(sizeof(*s));
	int r;

	buf_add(&s->stored, stored.p, stored.len);
	r = schema_decode(SCHEMA_source, buf_str(&s->stored), &s->r);
	if (r < 0) {
		source_free(s);
		return r;
	}
	source_free(map_put(m->sources, key, s));
	return 0;
}

/* How many accounts have a domain of one name. */
struct owners {
	unsigned n;
};

static void
add_owner(struct model *m, struct str name)
{
	struct owners *o = map_get(m->domain_names, name);

	if (o == NULL) {
		o = mem_alloc(sizeof(*o));
		(void)map_put(m->domain_names, name, o); /* there was none */
	}
	o->n++;
}

static void
drop_owner(struct model *m, struct str name)
{
	struct owners *o = map_get(m->domain_names, name);

	bug_on(o == NULL || o->n == 0);
	if (--o->n == 0) {
		free(map_del(m->domain_names, name));
	}
}

static int
put_domain(struct model *m, struct str key, struct str stored)
{
	struct domain *d = mem_alloc(sizeof(*d));
	struct domain *old;
	int r;

	buf_add(&d->stored, stored.p, stored.len);
	r = schema_decode(SCHEMA_domain, buf_str(&d->stored), &d->r);
	if (r < 0) {
		domain_free(d);
		return r;
	}
	old = map_put(m->domains, key, d);
	if (old == NULL) {
		add_owner(m, d->r.name);
	}
	domain_free(old);
	return 0;
}

static int
put_instance(struct model *m, struct str stored)
{
	struct buf copy = { 0 };
	int r;

	buf_add(&copy, stored.p, stored.len);
	r = schema_decode(SCHEMA_instance, buf_str(&copy), &m->instance);
	if (r < 0) {
		buf_fini(&copy);
		return r;
	}
	buf_fini(&m->instance_stored);
	buf_move(&m->instance_stored, &copy);
	return 0;
}

static uint32_t
id_of(struct str key)
{
	const uint8_t *p = (const uint8_t *)key.p;

	return key.len != 4 ? 0
			    : (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
		(uint32_t)p[2] << 8 | p[3];
}

int
model_apply(
    struct model *m, enum schema_kind kind, struct str key, struct str stored)
{
	switch (kind) {
	case SCHEMA_account:
		return put_account(m, stored);
	case SCHEMA_key:
		return put_key(m, stored);
	case SCHEMA_domain:
		return put_domain(m, key, stored);
	case SCHEMA_hook:
		return put_hook(m, stored);
	case SCHEMA_source:
		return put_source(m, key, stored);
	case SCHEMA_instance:
		return put_instance(m, stored);
	case SCHEMA_warm:
	case SCHEMA_warm_sent:
	case SCHEMA_key_use:
	case SCHEMA_suppression:
	case SCHEMA_tally:
	case SCHEMA_notice:
	case SCHEMA_cursor:
	case SCHEMA_KINDS:
		break;
	}
	return -EINVAL;
}

void
model_remove(struct model *m, enum schema_kind kind, struct str key)
{
	struct domain *d;

	switch (kind) {
	case SCHEMA_account:
		drop_account(m, map_del_u64(m->accounts, id_of(key)));
		break;
	case SCHEMA_key:
		drop_key(m, map_del_u64(m->keys, id_of(key)));
		break;
	case SCHEMA_hook:
		hook_free(map_del_u64(m->hooks, id_of(key)));
		break;
	case SCHEMA_domain:
		d = map_del(m->domains, key);
		if (d != NULL) {
			drop_owner(m, d->r.name);
			domain_free(d);
		}
		break;
	case SCHEMA_source:
		source_free(map_del(m->sources, key));
		break;
	case SCHEMA_warm:
	case SCHEMA_warm_sent:
	case SCHEMA_instance:
	case SCHEMA_key_use:
	case SCHEMA_suppression:
	case SCHEMA_tally:
	case SCHEMA_notice:
	case SCHEMA_cursor:
	case SCHEMA_KINDS:
		break;
	}
}

enum store_table
model_table(enum schema_kind kind)
{
	static const enum store_table tables[SCHEMA_KINDS] = {
		[SCHEMA_account] = STORE_ACCOUNT,
		[SCHEMA_key] = STORE_KEY,
		[SCHEMA_key_use] = STORE_KEY_USE,
		[SCHEMA_domain] = STORE_DOMAIN,
		[SCHEMA_hook] = STORE_HOOK,
		[SCHEMA_suppression] = STORE_SUPPRESSION,
		[SCHEMA_tally] = STORE_TALLY,
		[SCHEMA_cursor] = STORE_CURSOR,
		[SCHEMA_source] = STORE_SOURCE,
		[SCHEMA_warm] = STORE_WARM,
		[SCHEMA_warm_sent] = STORE_WARM_SENT,
		[SCHEMA_instance] = STORE_INSTANCE,
	};

	return tables[kind];
}

struct loading {
	struct model *m;
	enum schema_kind kind;
};

static int
load_one(void *arg, struct str key, struct str value)
{
	struct loading *l = arg;

	return model_apply(l->m, l->kind, key, value);
}

int
model_load(struct store *s, struct model **out, struct buf *error)
{
	static const enum schema_kind kinds[] = { SCHEMA_instance,
		SCHEMA_account, SCHEMA_key, SCHEMA_domain, SCHEMA_hook,
		SCHEMA_source };
	struct model *m = mem_alloc(sizeof(*m));
	int r = 0;

	m->store = s;
	m->accounts = map_new();
	m->names = map_new();
	m->keys = map_new();
	m->keys_of = map_new();
	m->domains = map_new();
	m->domain_names = map_new();
	m->hooks = map_new();
	m->sources = map_new();
	for (size_t i = 0; r == 0 && i < array_len(kinds); i++) {
		struct loading l = { m, kinds[i] };

		r = store_each(
		    s, model_table(l.kind), (struct str){ 0 }, load_one, &l);
		if (r < 0) {
			buf_printf(error, "the database has a%s record: %s",
			    r == -EPROTO ? " newer" : " damaged",
			    schema_name(l.kind));
		}
	}
	if (r < 0) {
		model_free(&m);
		return r;
	}
	*out = m;
	return 0;
}

void
model_free(struct model **mp)
{
	struct model *m = *mp;

	if (m == NULL) {
		return;
	}
	map_free(&m->names, NULL);
	map_free(&m->accounts, account_free);
	map_free(&m->keys, key_free);
	map_free(&m->keys_of, free);
	map_free(&m->domains, domain_free);
	map_free(&m->domain_names, free);
	map_free(&m->hooks, hook_free);
	map_free(&m->sources, source_free);
	if (m->instance_stored.p != NULL) {
		explicit_bzero(m->instance_stored.p, m->instance_stored.cap);
	}
	buf_fini(&m->instance_stored);
	free(m);
	*mp = NULL;
}

/* ---- look-ups -------------------------------------------------------------
 */

const struct account *
model_account(const struct model *m, uint32_t id)
{
	return map_get_u64(m->accounts, id);
}

const struct account *
model_account_named(const struct model *m, struct str full_name)
{
	return map_get(m->names, full_name);
}

const struct key *
model_key(const struct model *m, uint32_t id)
{
	return map_get_u64(m->keys, id);
}

const struct hook *
model_hook(const struct model *m, uint32_t id)
{
	return map_get_u64(m->hooks, id);
}

const struct source *
model_source(const struct model *m, struct str ip)
{
	return map_get(m->sources, ip);
}

const struct domain *
model_domain(const struct model *m, uint32_t account, struct str name)
{
	struct buf key = { 0 };
	const struct domain *d;

	model_key_u32(&key, account);
	buf_add(&key, name.p, name.len);
	d = map_get(m->domains, buf_str(&key));
	buf_fini(&key);
	return d;
}

const struct domain *
model_domain_within(
    const struct model *m, uint32_t account, struct str name, int state)
{
	while (name.len > 0) {
		const struct domain *d = model_domain(m, account, name);
		struct str label;

		if (d != NULL && (state < 0 || d->r.state == state)) {
			return d;
		}
		(void)str_split(&name, '.', &label); /* to the parent */
	}
	return NULL;
}

const struct schema_instance *
model_instance(const struct model *m)
{
	return &m->instance;
}

bool
model_has_domain(const struct model *m, struct str name)
{
	return map_get(m->domain_names, name) != NULL;
}

static const void *
next(const struct map *map, size_t *at)
{
	struct str key;
	void *value;

	return map_next(map, at, &key, &value) ? value : NULL;
}

const struct account *
model_next_account(const struct model *m, size_t *at)
{
	return next(m->accounts, at);
}

const struct key *
model_next_key(const struct model *m, size_t *at)
{
	return next(m->keys, at);
}

const struct key *
model_key_of(const struct model *m, uint32_t account, const struct key *before)
{
	const struct keys *of;

	if (before != NULL) {
		return LIST_NEXT(before, of_account);
	}
	of = map_get_u64(m->keys_of, account);
	return of != NULL ? LIST_FIRST(of) : NULL;
}

const struct domain *
model_next_domain(const struct model *m, size_t *at)
{
	return next(m->domains, at);
}

const struct hook *
model_next_hook(const struct model *m, size_t *at)
{
	return next(m->hooks, at);
}

const struct source *
model_next_source(const struct model *m, size_t *at)
{
	return next(m->sources, at);
}

bool
model_has_pool(const struct model *m, struct str pool)
{
	const struct source *s;
	size_t at = 0;

	if (pool.len == 0) {
		return true;
	}
	while ((s = model_next_source(m, &at)) != NULL) {
		if (str_eq(s->r.pool, pool)) {
			return true;
		}
	}
	return false;
}
