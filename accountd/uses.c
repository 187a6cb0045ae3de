/*
 * From which client addresses a key was used. Counted in memory and added to
 * the store every few seconds: a use is a fact worth keeping, but not worth a
 * write of its own. Only somebody with a good key gets here, so the number of
 * addresses is limited for tidiness, not for safety.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "accountd.h"
#include "clock.h"
#include "herald.h"
#include "log.h"
#include "loop.h"
#include "networks.h"
#include "service.h"

#define WRITE_US (5 * US_PER_S)
/* Written before that, so that the loop is not held up. */
#define WRITE_ROWS 500
#define PENDING_MAX 10000 /* while the database takes none */
/* Stands for the addresses beyond key_use_limit. */
#define OTHERS "others"
/* A key whose networks change all the time is told of once in so long. */
#define TELL_US (3600 * US_PER_S)

/* One row of the store: key of the store, and what is to be added to it. */
struct use {
	struct schema_key_use add;
	bool is_new; /* the store has no such row: it need not be read */
};

static struct {
	struct map *pending;   /* key of the store to struct use */
	struct map *addresses; /* key id to how many rows, once known */
	struct loop_timer *timer;
} uses;

struct rows {
	size_t n;
	uint64_t told_us; /* of a new network, monotonic; 0: never */
};

static void
row_key(struct buf *out, uint32_t key, struct str ip)
{
	model_key_u32(out, key);
	buf_add(out, ip.p, ip.len);
}

static void
merge(struct schema_key_use *to, const struct schema_key_use *add)
{
	to->first_us = to->count == 0 ? add->first_us : to->first_us;
	to->last_us = add->last_us > to->last_us ? add->last_us : to->last_us;
	to->count += add->count;
}

/* Adds what is pending to its row. */
static int
write_row(struct store_txn *t, struct str key, const struct use *u)
{
	struct schema_key_use use = { 0 };
	struct buf value = { 0 };
	int r = u->is_new
	    ? -ENOENT
	    : store_get(accountd.store, t, STORE_KEY_USE, key, &value);

	if (r == 0 &&
	    schema_decode(SCHEMA_key_use, buf_str(&value), &use) < 0) {
		use = (struct schema_key_use){ 0 }; /* only statistics */
	}
	if (r == 0 || r == -ENOENT) {
		merge(&use, &u->add);
		buf_clear(&value, SIZE_MAX);
		r = schema_encode(&value, SCHEMA_key_use, &use);
	}
	if (r == 0) {
		r = store_put(t, STORE_KEY_USE, key, buf_str(&value));
	}
	buf_fini(&value);
	return r;
}

static void
write_pending(void *arg)
{
	struct store_txn *t = NULL;
	struct str key;
	void *value;
	size_t at = 0;
	int r;

	(void)arg;
	if (map_len(uses.pending) == 0) {
		return;
	}
	r = store_begin(accountd.store, &t);
	if (r == -ENOSPC) {
		loop_timer_arm(uses.timer, WRITE_US); /* it was logged */
		return;
	}
	while (r == 0 && map_next(uses.pending, &at, &key, &value)) {
		r = write_row(t, key, value);
	}
	if (r == 0) {
		r = store_commit(&t);
	} else if (t != NULL) {
		store_abort(&t);
	}
	if (r < 0) {
		log_warn("uses of keys are not recorded: %s", strerror(-r));
	}
	map_free(&uses.pending, free);
	uses.pending = map_new();
}

void
uses_start(void)
{
	uses.pending = map_new();
	uses.addresses = map_new();
	uses.timer = loop_timer_new(write_pending, NULL);
}

void
uses_stop(void)
{
	if (uses.pending == NULL) {
		return;
	}
	write_pending(NULL);
	loop_timer_free(&uses.timer);
	map_free(&uses.pending, free);
	map_free(&uses.addresses, free);
}

static int
count_row(void *arg, struct str key, struct str value)
{
	struct rows *rows = arg;

	(void)key;
	(void)value;
	rows->n++;
	return 0;
}

static struct rows *
rows_of(uint32_t key)
{
	struct rows *rows = map_get_u64(uses.addresses, key);

	if (rows == NULL) {
		struct buf prefix = { 0 };

		rows = mem_alloc(sizeof(*rows));
		model_key_u32(&prefix, key);
		/* An error has been logged; the count is not essential, but
		 * what is there must not be taken for a first use. */
		if (store_each(accountd.store, STORE_KEY_USE, buf_str(&prefix),
			count_row, rows) < 0) {
			rows->n = 1;
		}
		buf_fini(&prefix);
		(void)map_put_u64(uses.addresses, key, rows); /* new */
	}
	return rows;
}

/* Does any row of the key lie in the network of the address? */
struct search {
	struct buf network; /* address/bits, as networks_contain has it */
	bool is_found;
};

static int
search_row(void *arg, struct str key, struct str value)
{
	struct search *s = arg;
	struct str ip = { key.p + 4, key.len - 4 };

	(void)value;
	s->is_found = key.len > 4 && networks_contain(buf_str(&s->network), ip);
	return s->is_found;
}

static bool
is_network_new(uint32_t key, struct str ip)
{
	struct buf prefix = { 0 };
	struct search s = { 0 };
	bool is_v4 = memchr(ip.p, ':', ip.len) == NULL;

	buf_printf(&s.network, "%.*s/%d", STR_ARG(ip), is_v4 ? 24 : 48);
	model_key_u32(&prefix, key);
	if (store_each(accountd.store, STORE_KEY_USE, buf_str(&prefix),
		search_row, &s) < 0) {
		s.is_found = true; /* logged; it is not worth a false alarm */
	}
	buf_fini(&prefix);
	buf_fini(&s.network);
	return !s.is_found;
}

/* Before its row is there; the first use of a key is nothing new. */
static void
tell_if_new(struct rows *rows, uint32_t id, struct str ip)
{
	const struct key *k = model_key(accountd.model, id);
	const struct account *a = k == NULL
	    ? NULL
	    : model_account(accountd.model,
		  k->r.subaccount != 0 ? k->r.subaccount : k->r.account);
	uint64_t now = clock_mono_us();

	if (rows->n == 0 || a == NULL ||
	    (rows->told_us != 0 && now - rows->told_us < TELL_US)) {
		return;
	}
	write_pending(NULL); /* these networks are known as well */
	if (is_network_new(id, ip)) {
		rows->told_us = now;
		herald_tell(ALERT_NETWORK, a, "key_network", false,
		    "key %u (%.*s) of %s is used from %.*s, a network that it "
		    "was not used from before",
		    id, STR_ARG(k->r.label), a->full_name, STR_ARG(ip));
	}
}

/* The row for the address: its own, or the common one beyond the limit.
 * Whether it is not in the store yet. */
static bool
choose_row(struct buf *row, uint32_t key, struct str ip)
{
	struct rows *rows = rows_of(key);
	struct buf value = { 0 };
	int r = -ENOENT;

	row_key(row, key, ip);
	if (rows->n > 0) {
		r = store_get(
		    accountd.store, NULL, STORE_KEY_USE, buf_str(row), &value);
		buf_fini(&value);
	}
	if (r == 0) {
		return false;
	}
	tell_if_new(rows, key, ip);
	if (rows->n < conf()->key_use_limit) {
		rows->n++;
		return r == -ENOENT;
	}
	buf_clear(row, SIZE_MAX);
	row_key(row, key, STR(OTHERS));
	return false;
}

void
uses_add(uint32_t key, struct str client_ip)
{
	uint64_t now = clock_wall_us();
	const struct schema_key_use one = { now, now, 1 };
	struct buf row = { 0 };
	struct use *u;
	bool is_new = false;

	row_key(&row, key, client_ip);
	u = map_get(uses.pending, buf_str(&row));
	if (u == NULL) {
		buf_clear(&row, SIZE_MAX);
		is_new = choose_row(&row, key, client_ip);
		u = map_get(uses.pending, buf_str(&row));
	}
	if (u == NULL && map_len(uses.pending) > PENDING_MAX) {
		buf_fini(&row);
		return; /* the database has taken none for a while */
	}
	if (u == NULL) {
		u = mem_alloc(sizeof(*u));
		u->is_new = is_new;
		(void)map_put(uses.pending, buf_str(&row), u); /* new */
	}
	merge(&u->add, &one);
	buf_fini(&row);
	if (map_len(uses.pending) == WRITE_ROWS) {
		write_pending(NULL);
	} else if (!loop_timer_is_armed(uses.timer)) {
		loop_timer_arm(uses.timer, WRITE_US);
	}
}

struct each {
	void (*fn)(void *arg, struct str ip, const struct schema_key_use *use);
	void *arg;
};

static int
show_row(void *arg, struct str key, struct str value)
{
	const struct each *e = arg;
	struct schema_key_use use;

	if (key.len > 4 && schema_decode(SCHEMA_key_use, value, &use) == 0) {
		e->fn(e->arg, (struct str){ key.p + 4, key.len - 4 }, &use);
	}
	return 0;
}

int
uses_each(uint32_t key,
    void (*fn)(void *arg, struct str ip, const struct schema_key_use *use),
    void *arg)
{
	struct each e = { fn, arg };
	struct buf prefix = { 0 };
	int r;

	write_pending(NULL);
	model_key_u32(&prefix, key);
	r = store_each(
	    accountd.store, STORE_KEY_USE, buf_str(&prefix), show_row, &e);
	buf_fini(&prefix);
	return r;
}

static int
take_key(void *arg, struct str key, struct str value)
{
	struct buf *keys = arg;

	(void)value;
	buf_u16(keys, (uint16_t)key.len);
	buf_add(keys, key.p, key.len);
	return 0;
}

void
uses_forget(uint32_t key)
{
	struct store_txn *t = NULL;
	struct buf prefix = { 0 };
	struct buf keys = { 0 };
	int r;

	write_pending(NULL);
	model_key_u32(&prefix, key);
	r = store_each(
	    accountd.store, STORE_KEY_USE, buf_str(&prefix), take_key, &keys);
	if (r == 0) {
		r = store_begin(accountd.store, &t);
	}
	for (size_t at = 0; r == 0 && at < keys.len;) {
		size_t n = (size_t)keys.p[at] | (size_t)keys.p[at + 1] << 8;

		r = store_del(t, STORE_KEY_USE,
		    (struct str){ (const char *)keys.p + at + 2, n });
		at += 2 + n;
	}
	if (r == 0) {
		r = store_commit(&t);
	} else {
		store_abort(&t); /* logged; rows without a key do no harm */
	}
	buf_fini(&prefix);
	buf_fini(&keys);
	free(map_del_u64(uses.addresses, key));
}
