#include "suppressions.h"

#include <errno.h>

#include "model.h"

static void
make_key(
    struct buf *key, uint32_t account, uint32_t subaccount, struct str address)
{
	model_key_u32(key, account);
	model_key_u32(key, subaccount);
	for (size_t i = 0; i < address.len; i++) {
		char c = address.p[i];

		buf_u8(
		    key, (uint8_t)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c));
	}
}

static uint32_t
take_u32(struct str *s)
{
	const uint8_t *p = (const uint8_t *)s->p;
	uint32_t n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];

	s->p += 4;
	s->len -= 4;
	return n;
}

int
suppressions_key_parse(struct str key, struct suppression_key *out)
{
	if (key.len <= 8) {
		return -EBADMSG;
	}
	out->account = take_u32(&key);
	out->subaccount = take_u32(&key);
	out->address = key;
	return 0;
}

int
suppressions_get(struct store *s, struct store_txn *t, uint32_t account,
    uint32_t subaccount, struct str address, struct buf *value,
    struct schema_suppression *entry)
{
	struct buf key = { 0 };
	int r;

	buf_clear(value, SIZE_MAX);
	make_key(&key, account, subaccount, address);
	r = store_get(s, t, STORE_SUPPRESSION, buf_str(&key), value);
	if (r == 0 &&
	    schema_decode(SCHEMA_suppression, buf_str(value), entry) < 0) {
		r = -EIO;
	}
	buf_fini(&key);
	return r;
}

static bool
is_allowed(const struct schema_suppression *e)
{
	return str_is(e->reason, SUPPRESSION_ALLOW);
}

/* The reason, 0, or -EIO; -EPERM: the address is allowed. */
static int
find_one(struct store *s, uint32_t account, uint32_t subaccount,
    struct str address, uint64_t now_us)
{
	enum suppression_reason reason = SUPPRESSION_CUSTOM;
	struct schema_suppression e;
	struct buf value = { 0 };
	int r =
	    suppressions_get(s, NULL, account, subaccount, address, &value, &e);

	if (r == -ENOENT) {
		r = 0;
	} else if (r == 0 && is_allowed(&e)) {
		r = -EPERM;
	} else if (r == 0 && (e.expires_us == 0 || e.expires_us > now_us)) {
		r = suppression_parse(e.reason, &reason);
		/* A reason of another version suppresses all the same. */
		r = r < 0 ? SUPPRESSION_CUSTOM : (int)reason;
	}
	buf_fini(&value);
	return r;
}

int
suppressions_find(struct store *s, uint32_t account, uint32_t subaccount,
    struct str address, uint64_t now_us)
{
	int of_account;
	int of_sub = 0;

	if (address.len > SUPPRESSION_ADDRESS_MAX) {
		return 0;
	}
	of_account = find_one(s, account, 0, address, now_us);
	if (subaccount != 0) {
		of_sub = find_one(s, account, subaccount, address, now_us);
	}
	if (of_account == -EIO || of_sub == -EIO) {
		return -EIO;
	}
	if (of_account == -EPERM || of_sub == -EPERM) {
		return 0;
	}
	return of_account > 0 ? of_account : of_sub;
}

int
suppressions_put(struct store_txn *t, uint32_t account, uint32_t subaccount,
    struct str address, const struct schema_suppression *entry)
{
	struct buf key = { 0 };
	struct buf value = { 0 };
	int r;

	if (address.len == 0 || address.len > SUPPRESSION_ADDRESS_MAX) {
		return -EINVAL;
	}
	make_key(&key, account, subaccount, address);
	r = schema_encode(&value, SCHEMA_suppression, entry);
	if (r == 0) {
		r = store_put(
		    t, STORE_SUPPRESSION, buf_str(&key), buf_str(&value));
	}
	buf_fini(&key);
	buf_fini(&value);
	return r;
}

int
suppressions_del(struct store_txn *t, uint32_t account, uint32_t subaccount,
    struct str address)
{
	struct buf key = { 0 };
	int r;

	make_key(&key, account, subaccount, address);
	r = store_del(t, STORE_SUPPRESSION, buf_str(&key));
	buf_fini(&key);
	return r;
}

static void
add_event(struct schema_suppression *e, const struct suppression_cause *cause,
    const struct suppress_times *times)
{
	uint64_t until;

	e->last_us = cause->time_us;
	if (str_is(e->reason, suppression_name(SUPPRESSION_CUSTOM))) {
		return;
	}
	until = suppress_until(times, cause->reason, e->count, cause->time_us);
	if (until == 0 || (e->expires_us != 0 && until > e->expires_us)) {
		e->expires_us = until;
	}
	e->reason = str_of(suppression_name(cause->reason));
	e->detail = cause->detail;
}

int
suppressions_event(struct store *s, struct store_txn *t, uint32_t account,
    uint32_t subaccount, struct str address,
    const struct suppression_cause *cause, const struct suppress_times *times)
{
	struct schema_suppression e = { .created_us = cause->time_us };
	struct buf value = { 0 };
	int r = -ENOENT;

	if (subaccount != 0) {
		r = suppressions_get(s, t, account, 0, address, &value, &e);
	}
	if (r != 0 || !is_allowed(&e)) {
		e = (struct schema_suppression){
			.created_us = cause->time_us,
			.expires_us = 1, /* any is longer */
		};
		r = r == -EIO ? r
			      : suppressions_get(s, t, account, subaccount,
				    address, &value, &e);
	}
	if (r == -EIO || (r == 0 && is_allowed(&e))) {
		buf_fini(&value);
		return r;
	}
	/* Entries that count no events are one. */
	e.count = r == 0 ? (e.count == 0 ? 2 : e.count + 1) : 1;
	add_event(&e, cause, times);
	r = suppressions_put(t, account, subaccount, address, &e);
	buf_fini(&value);
	return r;
}

struct collect {
	struct buf keys; /* each: u16 length, bytes */
	int n;
	int max;
};

static int
collect_key(void *arg, struct str key, struct str value)
{
	struct collect *c = arg;

	(void)value;
	buf_u16(&c->keys, (uint16_t)key.len);
	buf_add(&c->keys, key.p, key.len);
	return ++c->n == c->max;
}

static int
delete_keys(struct store *s, const struct buf *keys)
{
	struct store_txn *t = NULL;
	int r = store_begin(s, &t);

	for (size_t at = 0; r == 0 && at < keys->len;) {
		size_t n = (size_t)keys->p[at] | (size_t)keys->p[at + 1] << 8;

		r = store_del(t, STORE_SUPPRESSION,
		    (struct str){ (const char *)keys->p + at + 2, n });
		at += 2 + n;
	}
	if (t != NULL && r < 0) {
		store_abort(&t);
		return r;
	}
	return t != NULL ? store_commit(&t) : r;
}

int
suppressions_purge(
    struct store *s, uint32_t account, uint32_t subaccount, int max)
{
	struct collect c = { .max = max };
	struct buf prefix = { 0 };
	int r;

	model_key_u32(&prefix, account);
	if (subaccount != 0) {
		model_key_u32(&prefix, subaccount);
	}
	r = store_each(s, STORE_SUPPRESSION, buf_str(&prefix), collect_key, &c);
	if (r >= 0 && c.n > 0) {
		r = delete_keys(s, &c.keys);
	}
	buf_fini(&prefix);
	buf_fini(&c.keys);
	return r < 0 ? r : c.n;
}
