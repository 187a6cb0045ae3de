#include "notices.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "map.h"

struct notices {
	struct store *store;
	struct map *by_id;
	uint64_t limit;
	uint64_t lifetime_us;
	uint64_t last_id;
	size_t n_changed;
};

static void
notice_free(void *p)
{
	struct notice *x = p;

	buf_fini(&x->stored);
	free(x);
}

static void
make_key(uint64_t id, struct buf *key)
{
	for (unsigned i = 0; i < 8; i++) {
		buf_u8(key, (uint8_t)(id >> (56 - 8 * i)));
	}
}

static int
load_one(void *arg, struct str key, struct str value)
{
	struct notices *n = arg;
	struct notice *x = mem_alloc(sizeof(*x));

	(void)key;
	x->is_durable = true;
	buf_add(&x->stored, value.p, value.len);
	if (schema_decode(SCHEMA_notice, buf_str(&x->stored), &x->r) < 0) {
		notice_free(x);
		return -EBADMSG;
	}
	if (x->r.id > n->last_id) {
		n->last_id = x->r.id;
	}
	(void)map_put_u64(n->by_id, x->r.id, x); /* keys are different */
	return 0;
}

int
notices_load(
    struct store *s, uint64_t limit, uint64_t lifetime_us, struct notices **out)
{
	struct notices *n = mem_alloc(sizeof(*n));
	int r;

	n->store = s;
	n->limit = limit;
	n->lifetime_us = lifetime_us;
	n->by_id = map_new();
	r = store_each(s, STORE_NOTICE, (struct str){ 0 }, load_one, n);
	if (r < 0) {
		notices_free(&n);
		return r;
	}
	*out = n;
	return 0;
}

void
notices_free(struct notices **np)
{
	struct notices *n = *np;

	if (n != NULL) {
		map_free(&n->by_id, notice_free);
		free(n);
		*np = NULL;
	}
}

static void
mark(struct notices *n, struct notice *x)
{
	n->n_changed += !x->is_changed;
	x->is_changed = true;
}

/* Nobody can do anything with it any more. */
static void
give_up(struct notices *n, struct notice *x)
{
	log_warn("alert %.*s of %.*s is given up: it did not get to%s%s%s",
	    STR_ARG(x->r.name), STR_ARG(x->r.account_name),
	    (x->r.done & NOTICE_JOURNAL) == 0 ? " the journal" : "",
	    (x->r.done & NOTICE_COMMAND) == 0 ? " the command" : "",
	    (x->r.done & NOTICE_MAIL) == 0 ? " the mail" : "");
	x->r.done = NOTICE_ALL;
	mark(n, x);
}

static void
drop_oldest(struct notices *n)
{
	struct notice *oldest = NULL;
	struct notice *x;
	size_t at = 0;

	while ((x = notices_next(n, &at)) != NULL) {
		if (x->r.done != NOTICE_ALL &&
		    (oldest == NULL || x->r.id < oldest->r.id)) {
			oldest = x;
		}
	}
	if (oldest != NULL) {
		give_up(n, oldest);
	}
}

/* Numbers rise with time, also over restarts, and are never used twice. */
static uint64_t
new_id(struct notices *n, uint64_t time_us)
{
	n->last_id = time_us > n->last_id ? time_us : n->last_id + 1;
	return n->last_id;
}

void
notices_add(struct notices *n, const struct schema_notice *r)
{
	struct notice *x = mem_alloc(sizeof(*x));
	struct schema_notice copy = *r;

	if (map_len(n->by_id) >= n->limit) {
		drop_oldest(n);
	}
	copy.id = new_id(n, r->time_us);
	/* Callers keep to the rows' limits; the strings are copied by it. */
	if (schema_encode(&x->stored, SCHEMA_notice, &copy) < 0 ||
	    schema_decode(SCHEMA_notice, buf_str(&x->stored), &x->r) < 0) {
		log_error("an alert is too long to be kept");
		notice_free(x);
		return;
	}
	(void)map_put_u64(n->by_id, x->r.id, x);
	mark(n, x);
}

void
notices_done(struct notices *n, uint64_t id, uint32_t where)
{
	struct notice *x = notices_find(n, id);

	if (x != NULL) {
		x->under_way &= ~where;
		if ((x->r.done & where) != where) {
			x->r.done |= where;
			mark(n, x);
		}
	}
}

void
notices_forget_journal(struct notices *n)
{
	struct notice *x;
	size_t at = 0;

	while ((x = notices_next(n, &at)) != NULL) {
		x->under_way &= ~NOTICE_JOURNAL;
	}
}

struct notice *
notices_find(const struct notices *n, uint64_t id)
{
	return map_get_u64(n->by_id, id);
}

struct notice *
notices_next(const struct notices *n, size_t *at)
{
	struct str key;
	void *value;

	return map_next(n->by_id, at, &key, &value) ? value : NULL;
}

size_t
notices_count(const struct notices *n)
{
	return map_len(n->by_id);
}

bool
notices_are_changed(const struct notices *n)
{
	return n->n_changed != 0;
}

static int
write_one(struct store_txn *t, struct notice *x)
{
	struct buf key = { 0 };
	struct buf value = { 0 };
	int r;

	make_key(x->r.id, &key);
	if (x->r.done == NOTICE_ALL) {
		r = store_del(t, STORE_NOTICE, buf_str(&key));
	} else {
		r = schema_encode(&value, SCHEMA_notice, &x->r);
		if (r == 0) {
			r = store_put(
			    t, STORE_NOTICE, buf_str(&key), buf_str(&value));
		}
	}
	buf_fini(&key);
	buf_fini(&value);
	return r;
}

void
notices_expire(struct notices *n, uint64_t now_us)
{
	struct notice *x;
	size_t at = 0;

	while ((x = notices_next(n, &at)) != NULL) {
		if (x->r.done != NOTICE_ALL &&
		    x->r.time_us + n->lifetime_us <= now_us) {
			give_up(n, x);
		}
	}
}

int
notices_write(struct notices *n, struct store_txn *t)
{
	struct notice *x;
	size_t at = 0;
	int r = 0;

	while (
	    r == 0 && n->n_changed != 0 && (x = notices_next(n, &at)) != NULL) {
		if (x->is_changed) {
			r = write_one(t, x);
		}
	}
	return r;
}

void
notices_durable(struct notices *n)
{
	struct notice *x;
	size_t at = 0;

	while ((x = notices_next(n, &at)) != NULL) {
		x->is_durable = x->is_durable || !x->is_changed;
	}
}

bool
notices_written(struct notices *n)
{
	struct buf gone = { 0 };
	struct notice *x;
	size_t at = 0;

	if (n->n_changed == 0) {
		return false;
	}
	n->n_changed = 0;
	while ((x = notices_next(n, &at)) != NULL) {
		x->is_changed = false;
		if (x->r.done == NOTICE_ALL) {
			buf_add(&gone, &x->r.id, sizeof(x->r.id));
		}
	}
	for (size_t i = 0; i < gone.len; i += sizeof(uint64_t)) {
		uint64_t id;

		memcpy(&id, gone.p + i, sizeof(id));
		notice_free(map_del_u64(n->by_id, id));
	}
	buf_fini(&gone);
	return true;
}
