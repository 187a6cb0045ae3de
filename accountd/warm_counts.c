#include "warm_counts.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "map.h"
#include "schema.h"

#define PURGE_BATCH 5000

struct row {
	struct warmup_count c; /* its name is behind the NUL of key */
	uint32_t day;
	bool is_changed;
	struct row *next_changed;
	size_t key_len;
	char key[]; /* of the store */
};

struct warm_counts {
	struct store *store;
	struct map *rows;
	struct row *changed;
};

/* ---- rows ---------------------------------------------------------------- */

static struct row *
new_row(struct warm_counts *w, struct str key)
{
	const char *nul = key.len > 0 ? memchr(key.p, '\0', key.len) : NULL;
	struct row *row;

	if (nul == NULL) {
		return NULL;
	}
	row = mem_alloc(sizeof(*row) + key.len);
	memcpy(row->key, key.p, key.len);
	row->key_len = key.len;
	row->c.provider = (struct str){ row->key + (nul - key.p) + 1,
		key.len - (size_t)(nul - key.p) - 1 };
	(void)map_put(w->rows, key, row); /* was not there */
	return row;
}

static int
load_one(void *arg, struct str key, struct str value)
{
	struct warm_counts *w = arg;
	struct schema_warm rec;
	struct row *row;
	int r = schema_decode(SCHEMA_warm, value, &rec);

	row = r == 0 ? new_row(w, key) : NULL;
	if (row == NULL) {
		return -EBADMSG;
	}
	row->day = rec.day;
	row->c.tried = rec.tried;
	row->c.delivered = rec.delivered;
	row->c.deferred = rec.deferred;
	row->c.complaints = rec.complaints;
	return 0;
}

int
warm_counts_load(struct store *s, struct warm_counts **out)
{
	struct warm_counts *w = mem_alloc(sizeof(*w));
	int r;

	w->store = s;
	w->rows = map_new();
	r = store_each(s, STORE_WARM, (struct str){ 0 }, load_one, w);
	if (r < 0) {
		warm_counts_free(&w);
		return r;
	}
	*out = w;
	return 0;
}

void
warm_counts_free(struct warm_counts **wp)
{
	if (*wp != NULL) {
		map_free(&(*wp)->rows, free);
		free(*wp);
		*wp = NULL;
	}
}

static void
make_key(struct buf *key, struct str ip, struct str provider)
{
	buf_add(key, ip.p, ip.len);
	buf_u8(key, 0);
	buf_add(key, provider.p, provider.len);
}

static struct row *
get_row(struct warm_counts *w, struct str ip, struct str provider)
{
	struct buf key = { 0 };
	struct row *row;

	make_key(&key, ip, provider);
	row = map_get(w->rows, buf_str(&key));
	if (row == NULL && map_len(w->rows) >= WARM_COUNTS_MAX &&
	    provider.len > 0) {
		row = get_row(w, ip, STR(""));
	} else if (row == NULL) {
		row = new_row(w, buf_str(&key));
	}
	buf_fini(&key);
	return row;
}

struct warmup_count *
warm_counts_change(
    struct warm_counts *w, struct str ip, struct str provider, uint32_t day)
{
	struct row *row = get_row(w, ip, provider);

	if (row->day > day) {
		return NULL;
	}
	if (row->day < day) {
		row->day = day;
		row->c = (struct warmup_count){ .provider = row->c.provider };
	}
	if (!row->is_changed) {
		row->is_changed = true;
		row->next_changed = w->changed;
		w->changed = row;
	}
	return &row->c;
}

void
warm_counts_of(
    const struct warm_counts *w, struct str ip, uint32_t day, struct buf *out)
{
	struct str key;
	void *value;
	size_t at = 0;

	while (map_next(w->rows, &at, &key, &value)) {
		const struct row *row = value;

		if (row->day == day && key.len > ip.len &&
		    key.p[ip.len] == '\0' && memcmp(key.p, ip.p, ip.len) == 0) {
			buf_add(out, &row->c, sizeof(row->c));
		}
	}
}

/* ---- the store ----------------------------------------------------------- */

int
warm_counts_write(struct warm_counts *w, struct store_txn *t)
{
	int r = 0;

	for (struct row *row = w->changed; r == 0 && row != NULL;
	     row = row->next_changed) {
		const struct schema_warm rec = { .day = row->day,
			.tried = row->c.tried,
			.delivered = row->c.delivered,
			.deferred = row->c.deferred,
			.complaints = row->c.complaints };
		struct buf value = { 0 };

		r = schema_encode(&value, SCHEMA_warm, &rec);
		if (r == 0) {
			r = store_put(t, STORE_WARM,
			    (struct str){ row->key, row->key_len },
			    buf_str(&value));
		}
		buf_fini(&value);
	}
	return r;
}

void
warm_counts_written(struct warm_counts *w)
{
	while (w->changed != NULL) {
		struct row *row = w->changed;

		w->changed = row->next_changed;
		row->next_changed = NULL;
		row->is_changed = false;
	}
}

/* Keys to remove, each: u16 length, bytes. */
struct found {
	struct buf keys;
	unsigned n;
	uint64_t before_us;
};

static void
find_rows(const struct warm_counts *w, uint32_t day, struct found *f)
{
	struct str key;
	void *value;
	size_t at = 0;

	while (map_next(w->rows, &at, &key, &value)) {
		const struct row *row = value;

		if (row->day < day && !row->is_changed) {
			buf_u16(&f->keys, (uint16_t)key.len);
			buf_add(&f->keys, key.p, key.len);
		}
	}
}

/* Message ids rise with the time, so the oldest are the first. */
static int
find_sent(void *arg, struct str key, struct str value)
{
	struct found *f = arg;
	struct uuid id;

	(void)value;
	if (key.len < sizeof(id.b) || f->n == PURGE_BATCH) {
		return 1;
	}
	memcpy(id.b, key.p, sizeof(id.b));
	if (uuid_wall_ms(&id) * 1000 >= f->before_us) {
		return 1;
	}
	buf_u16(&f->keys, (uint16_t)key.len);
	buf_add(&f->keys, key.p, key.len);
	f->n++;
	return 0;
}

static int
remove_keys(struct store_txn *t, enum store_table table, struct str keys)
{
	int r = 0;

	while (r == 0 && keys.len > 2) {
		uint16_t len;

		memcpy(&len, keys.p, sizeof(len));
		r = store_del(t, table, (struct str){ keys.p + 2, len });
		keys.p += 2 + len;
		keys.len -= 2u + len;
	}
	return r;
}

static void
forget_rows(struct warm_counts *w, struct str keys)
{
	while (keys.len > 2) {
		uint16_t len;

		memcpy(&len, keys.p, sizeof(len));
		free(map_del(w->rows, (struct str){ keys.p + 2, len }));
		keys.p += 2 + len;
		keys.len -= 2u + len;
	}
}

int
warm_counts_purge(struct warm_counts *w, uint32_t day, uint64_t before_us)
{
	struct found rows = { .n = 0 };
	struct found sent = { .before_us = before_us };
	struct store_txn *t = NULL;
	int r;

	find_rows(w, day, &rows);
	r = store_each(
	    w->store, STORE_WARM_SENT, (struct str){ 0 }, find_sent, &sent);
	r = r < 0 ? r : 0;
	if (r == 0 && (rows.keys.len > 0 || sent.keys.len > 0)) {
		r = store_begin(w->store, &t);
		if (r == 0) {
			r = remove_keys(t, STORE_WARM, buf_str(&rows.keys));
		}
		if (r == 0) {
			r = remove_keys(
			    t, STORE_WARM_SENT, buf_str(&sent.keys));
		}
		if (r == 0) {
			r = store_commit(&t);
		} else {
			store_abort(&t);
		}
	}
	if (r == 0) {
		forget_rows(w, buf_str(&rows.keys));
	}
	buf_fini(&rows.keys);
	buf_fini(&sent.keys);
	return r == 0 && sent.n == PURGE_BATCH ? 1 : r;
}

/* ---- complaints ---------------------------------------------------------- */

static void
sent_key(struct buf *key, const struct uuid *msgid, uint16_t rcpt)
{
	const uint8_t be[2] = { (uint8_t)(rcpt >> 8), (uint8_t)rcpt };

	buf_add(key, msgid->b, sizeof(msgid->b));
	buf_add(key, be, sizeof(be));
}

int
warm_counts_sent(struct warm_counts *w, struct store_txn *t,
    const struct uuid *msgid, uint16_t rcpt, struct str ip, struct str provider)
{
	const struct schema_warm_sent rec = { .ip = ip, .provider = provider };
	struct buf key = { 0 };
	struct buf value = { 0 };
	int r = schema_encode(&value, SCHEMA_warm_sent, &rec);

	(void)w;
	sent_key(&key, msgid, rcpt);
	if (r == 0) {
		r = store_put(
		    t, STORE_WARM_SENT, buf_str(&key), buf_str(&value));
	}
	buf_fini(&key);
	buf_fini(&value);
	return r;
}

int
warm_counts_complaint(struct warm_counts *w, struct store_txn *t,
    const struct uuid *msgid, uint16_t rcpt, uint32_t day)
{
	struct schema_warm_sent rec;
	struct warmup_count *c = NULL;
	struct buf key = { 0 };
	struct buf value = { 0 };
	int r;

	sent_key(&key, msgid, rcpt);
	r = store_get(w->store, t, STORE_WARM_SENT, buf_str(&key), &value);
	if (r == 0 &&
	    schema_decode(SCHEMA_warm_sent, buf_str(&value), &rec) == 0) {
		c = warm_counts_change(w, rec.ip, rec.provider, day);
	}
	if (c != NULL) {
		c->complaints++;
	}
	buf_fini(&key);
	buf_fini(&value);
	return r == -ENOENT ? 0 : r;
}
