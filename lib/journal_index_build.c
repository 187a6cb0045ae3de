#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "event_id.h"
#include "event_json.h"
#include "journal.h"
#include "journal_index.h"
#include "journal_index_format.h"
#include "plog.h"

/* A stretch ends with the batch that reaches this. */
#define STRETCH_BYTES (1024 * 1024)

struct build {
	uint64_t *keys; /* of the stretch, with repetitions */
	size_t n_keys, cap;
	struct index_stretch now;
	struct buf stretches; /* struct index_stretch */
	struct buf filters;
	struct index_header head;
	union {
		struct event_accepted accepted;
		struct event_refused refused;
		uint64_t space[EVENT_STRUCT_MAX / sizeof(uint64_t)];
	} event;
};

static void
add(struct build *b, uint64_t key)
{
	if (b->n_keys == b->cap) {
		b->cap = b->cap != 0 ? b->cap * 2 : 4096;
		b->keys = mem_resize(b->keys, b->cap * sizeof(*b->keys));
	}
	b->keys[b->n_keys++] = key;
}

static void
add_address(struct build *b, struct str a)
{
	size_t at = a.len;

	add(b, journal_key(JOURNAL_KEY_RCPT, a));
	while (at > 0 && a.p[at - 1] != '@') {
		at--;
	}
	if (at > 0) {
		add(b,
		    journal_key(JOURNAL_KEY_DOMAIN,
			(struct str){ a.p + at, a.len - at }));
	}
}

static void
add_accepted(struct build *b, const struct event_accepted *a)
{
	struct str name = a->account_name;
	struct str account;
	struct str rest = a->rcpts;
	struct event_rcpt r;

	add(b, journal_key(JOURNAL_KEY_SENDER, a->sender));
	add(b, journal_key(JOURNAL_KEY_SENDER, a->header_from));
	add(b, journal_key(JOURNAL_KEY_ACCOUNT, name));
	if (str_split(&name, '/', &account)) {
		add(b, journal_key(JOURNAL_KEY_ACCOUNT, account));
	}
	while (event_rcpt_next(&rest, &r)) {
		add_address(b, r.address);
	}
}

/* It names itself what others find in the accepted event. */
static void
add_refused(struct build *b, const struct event_refused *e)
{
	struct str name = e->account_name;
	struct str account;

	add(b, journal_key(JOURNAL_KEY_SENDER, e->sender));
	add(b, journal_key(JOURNAL_KEY_ACCOUNT, name));
	if (str_split(&name, '/', &account)) {
		add(b, journal_key(JOURNAL_KEY_ACCOUNT, account));
	}
}

static void
add_joined(struct build *b, unsigned type, uint64_t accept_lsn)
{
	const struct event_view v = { .type = type, .event = &b->event };
	struct str to = event_text(&v, "rcpt_to");
	uint32_t number = journal_lsn_number(accept_lsn);

	if (to.len != 0) {
		add_address(b, to);
	} else if (accept_lsn != 0) {
		add(b, journal_key_file(JOURNAL_KEY_BARE, number));
	}
	if (accept_lsn != 0) {
		add(b, journal_key_file(JOURNAL_KEY_JOIN, number));
	}
}

static void
add_record(struct build *b, const struct plog_record *rec, uint64_t time_us)
{
	struct event_common c = { .time_us = time_us };
	bool is_joined = event_peek(rec->type, rec->rec, &c);

	if (rec->type < 128) {
		b->now.kinds[rec->type / 64] |= 1ULL << (rec->type % 64);
	}
	if (is_joined || (rec->type == EVENT_stored && rec->rec.len >= 16)) {
		add(b,
		    journal_key(JOURNAL_KEY_ID,
			is_joined ? (struct str){ (const char *)c.msgid.b, 16 }
				  : (struct str){ rec->rec.p, 16 }));
	}
	if (is_joined &&
	    event_decode(rec->type, rec->rec.p, rec->rec.len, &b->event) == 0) {
		if (rec->type == EVENT_accepted) {
			add_accepted(b, &b->event.accepted);
		} else {
			add_joined(b, rec->type, c.accept_lsn);
		}
		if (rec->type == EVENT_refused) {
			add_refused(b, &b->event.refused);
		}
	}
	if (c.time_us < b->now.first_us) {
		b->now.first_us = c.time_us;
	}
	if (c.time_us > b->now.last_us) {
		b->now.last_us = c.time_us;
	}
}

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
put_filter(struct build *b)
{
	size_t n = 0;
	uint8_t *filter;

	qsort(b->keys, b->n_keys, sizeof(*b->keys), by_value);
	for (size_t i = 0; i < b->n_keys; i++) {
		if (n == 0 || b->keys[i] != b->keys[n - 1]) {
			b->keys[n++] = b->keys[i];
		}
	}
	b->now.filter = (uint32_t)(b->filters.len / INDEX_BLOCK);
	b->now.blocks = (uint32_t)(n * INDEX_KEY_BITS / (8 * INDEX_BLOCK)) + 1;
	buf_zero(&b->filters, (size_t)b->now.blocks * INDEX_BLOCK);
	filter = b->filters.p + (size_t)b->now.filter * INDEX_BLOCK;
	for (size_t i = 0; i < n; i++) {
		index_filter_add(filter, b->now.blocks, b->keys[i]);
	}
	b->n_keys = 0;
}

static void
end_stretch(struct build *b)
{
	if (b->now.end == 0) {
		return;
	}
	if (b->n_keys != 0) {
		put_filter(b);
	}
	buf_add(&b->stretches, &b->now, sizeof(b->now));
	b->head.n++;
	b->now = (struct index_stretch){ .end = 0 };
}

static void
add_batch(struct build *b, struct plog_reader *r)
{
	struct plog_record rec;

	if (b->head.n == 0 && b->now.end == 0) {
		b->head.first_us = r->batch_time_us;
	}
	if (b->now.end == 0) {
		b->now.off = r->batch_off;
		b->now.first_us = UINT64_MAX;
	}
	while (plog_reader_record(r, &rec)) {
		add_record(b, &rec, r->batch_time_us);
	}
	b->now.end = r->batch_end;
	b->head.size = r->batch_end;
	if (b->now.end - b->now.off >= STRETCH_BYTES) {
		end_stretch(b);
	}
}

static void
put_index(struct build *b, uint32_t number, struct buf *out)
{
	uint32_t crc;

	for (size_t i = 0; i < b->head.n; i++) {
		struct index_stretch s;
		uint8_t *at = b->stretches.p + i * sizeof(s);

		memcpy(&s, at, sizeof(s));
		s.filter += 1 + b->head.n; /* counted from the beginning */
		memcpy(at, &s, sizeof(s));
	}
	memcpy(b->head.magic, INDEX_MAGIC, sizeof(b->head.magic));
	b->head.segid = journal_segid(number);
	b->head.total = sizeof(b->head) + b->stretches.len + b->filters.len;
	crc = crc32c(0, b->stretches.p, b->stretches.len);
	b->head.body_crc = crc32c(crc, b->filters.p, b->filters.len);
	b->head.crc = crc32c(0, &b->head, offsetof(struct index_header, crc));
	buf_add(out, &b->head, sizeof(b->head));
	buf_add(out, b->stretches.p, b->stretches.len);
	buf_add(out, b->filters.p, b->filters.len);
}

int
journal_index_build(int fd, uint32_t number, struct buf *out)
{
	struct build *b;
	struct plog_reader r;
	int e = plog_reader_init(&r, fd);

	if (e < 0) {
		return e;
	}
	if (r.segid != journal_segid(number)) {
		return -EBADMSG;
	}
	b = mem_alloc(sizeof(*b));
	while ((e = plog_reader_batch(&r, UINT64_MAX)) == 1) {
		add_batch(b, &r);
	}
	end_stretch(b);
	/* A torn tail is the end of a file. */
	e = e == -EBADMSG ? 0 : e;
	if (e == 0 && b->head.n == 0) {
		e = -ENODATA;
	}
	if (e == 0) {
		put_index(b, number, out);
	}
	plog_reader_fini(&r);
	free(b->keys);
	buf_fini(&b->stretches);
	buf_fini(&b->filters);
	free(b);
	return e;
}
