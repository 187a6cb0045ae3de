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

static int
find_one(struct store *s, uint32_t account, uint32_t subaccount,
    struct str address, uint64_t now_us)
{
	struct schema_suppression entry;
	struct buf key = { 0 };
	struct buf value = { 0 };
	int r;

	make_key(&key, account, subaccount, address);
	r = store_get(s, NULL, STORE_SUPPRESSION, buf_str(&key), &value);
	if (r == 0) {
		r = schema_decode(SCHEMA_suppression, buf_str(&value), &entry);
		r = r < 0 ? -EIO
			  : entry.expires_us == 0 || entry.expires_us > now_us;
	} else if (r == -ENOENT) {
		r = 0;
	}
	buf_fini(&key);
	buf_fini(&value);
	return r;
}

int
suppressions_find(struct store *s, uint32_t account, uint32_t subaccount,
    struct str address, uint64_t now_us)
{
	int r;

	if (address.len > SUPPRESSION_ADDRESS_MAX) {
		return 0;
	}
	r = find_one(s, account, 0, address, now_us);
	if (r == 0 && subaccount != 0) {
		r = find_one(s, account, subaccount, address, now_us);
	}
	return r;
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
