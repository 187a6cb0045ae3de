/*
 * The filter of the table of suppressions: read from its file, or filled from
 * the table by a thread, and kept up as keys are added.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "store_db.h"

#define FILTER_FILE "suppressions.filter"
#define FILL_BYTES (128u * 1024) /* read in one go */
#define FILL_PAUSE_US 1000	 /* then others want CPU and disk, too */

/* ---- the file --------------------------------------------------------------
 */

static void
warn_no_file(int r)
{
	log_warn("the next start has to read all suppressions: " FILTER_FILE
		 " cannot be written: %s",
	    strerror(-r));
}

static void
give_up_file(struct store *s)
{
	store_filter_file_drop(&s->filter_file);
	s->is_written = false;
}

static uint64_t
get_generation(struct store *s)
{
	struct buf value = { 0 };
	uint64_t generation = 0;

	/* Without it the file is made anew. */
	if (store_get(s, NULL, STORE_FILTER, STR(""), &value) == 0 &&
	    value.len == sizeof(generation)) {
		memcpy(&generation, value.p, sizeof(generation));
	}
	buf_fini(&value);
	return generation;
}

/* Durable before the file is believed, which is when it is complete. */
static int
put_generation(struct store *s, uint64_t generation)
{
	struct str value = { (const char *)&generation, sizeof(generation) };
	struct store_txn *t = NULL;
	int r = store_begin(s, &t);

	if (r == 0) {
		r = store_put(t, STORE_FILTER, STR(""), value);
	}
	if (r < 0) {
		store_abort(&t);
		return r;
	}
	r = store_commit(&t);
	return r == 0 ? store_sync_now(s) : r;
}

static int
open_file(struct store *s, const char *boot)
{
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/" FILTER_FILE, s->directory);
	r = store_filter_file_open(path, boot != NULL ? boot : "",
	    get_generation(s), s->filter, &s->filter_file);
	if (r == 0) {
		r = put_generation(
		    s, store_filter_file_generation(s->filter_file));
	}
	if (r < 0) {
		give_up_file(s);
		warn_no_file(r);
	}
	return r;
}

void
store_filling_note(struct store *s, struct str key)
{
	uint64_t at = 0;
	int r = 0;

	if (store_filter_add(s->filter, key, &at) && s->is_written) {
		r = store_filter_file_put(s->filter_file, s->filter, at);
	}
	if (r < 0) {
		give_up_file(s);
		warn_no_file(r);
	}
}

void
store_filling_note_removed(struct store *s)
{
	if (s->filter_file != NULL) {
		store_filter_file_note_removed(s->filter_file);
	}
}

/* Writes what the thread has found, while changes go on. */
static void
fill_file(struct store *s)
{
	int64_t n = 1;

	for (uint64_t at = 0; n > 0 && !atomic_load(&s->is_closing);
	     at += (uint64_t)n) {
		pthread_mutex_lock(&s->writing);
		s->is_written = s->filter_file != NULL;
		n = s->is_written
		    ? store_filter_file_put_piece(s->filter_file, s->filter, at)
		    : 0;
		pthread_mutex_unlock(&s->writing);
	}
	pthread_mutex_lock(&s->writing);
	if (n == 0 && s->is_written) {
		n = store_filter_file_complete(s->filter_file, s->filled);
	}
	if (n < 0) {
		give_up_file(s);
		s->file_status = (int)n;
	}
	pthread_mutex_unlock(&s->writing);
}

/* ---- the thread ------------------------------------------------------------
 */

#define FILTER_FILE "suppressions.filter"
#define FILL_BYTES (128u * 1024) /* read in one go */
#define FILL_PAUSE_US 1000	 /* then others want CPU and disk, too */

/* Adds the keys of a piece of the table; the last of them goes to *last.
 * Returns how many. */
static size_t
add_keys(struct store_filter *f, const DBT *piece, struct buf *last)
{
	const uint8_t *key = NULL;
	const void *data;
	size_t n_key = 0;
	size_t n_data;
	size_t n = 0;
	uint64_t block;
	void *at;

	DB_MULTIPLE_INIT(at, piece);
	for (;;) {
		const uint8_t *next;
		size_t n_next = 0;

		DB_MULTIPLE_KEY_NEXT(at, piece, next, n_next, data, n_data);
		if (at == NULL) {
			break;
		}
		key = next;
		n_key = n_next;
		(void)store_filter_add(
		    f, (struct str){ (const char *)key, n_key }, &block);
		n++;
	}
	(void)data;
	(void)n_data;
	buf_clear(last, SIZE_MAX);
	buf_add(last, key, n_key);
	return n;
}

/* The piece that begins with the key *last, *n keys. DB_NOTFOUND: there is no
 * more. */
static int
fill_some(struct store *s, void *memory, struct buf *last, size_t *n)
{
	DB *db = s->tables[STORE_SUPPRESSION];
	uint8_t first[STORE_KEY_MAX]; /* replaced by the key that is found */
	DBT k = { .data = first,
		.size = (uint32_t)last->len,
		.ulen = sizeof(first),
		.flags = DB_DBT_USERMEM };
	DBT v = { .data = memory, .ulen = FILL_BYTES, .flags = DB_DBT_USERMEM };
	bool is_first = last->len == 0;
	DBC *c = NULL;
	int r = db->cursor(db, NULL, &c, 0);

	if (r != 0) {
		return r;
	}
	if (last->len > 0) {
		memcpy(first, last->p, last->len);
	}
	r = c->get(
	    c, &k, &v, (is_first ? DB_FIRST : DB_SET_RANGE) | DB_MULTIPLE_KEY);
	(void)c->close(c); /* it only read */
	if (r != 0) {
		return r;
	}
	*n = add_keys(s->filter, &v, last);
	if (is_first) {
		return 0;
	}
	*n -= 1; /* the last of the piece before is the first of this one */
	return *n == 0 ? DB_NOTFOUND : 0;
}

static int
fill(void *engine)
{
	struct store *s = engine;
	void *memory = mem_alloc(FILL_BYTES);
	struct buf last = { 0 };
	size_t n = 0;
	int r = 0;

	while (r == 0 && !atomic_load(&s->is_closing)) {
		pthread_mutex_lock(&s->writing);
		r = fill_some(s, memory, &last, &n);
		pthread_mutex_unlock(&s->writing);
		s->filled += n;
		(void)usleep(FILL_PAUSE_US);
	}
	if (r == DB_NOTFOUND) {
		fill_file(s);
		store_filter_complete(s->filter);
		r = 0;
	}
	buf_fini(&last);
	free(memory);
	return store_errno(r);
}

static void
on_filled(void *arg, int status)
{
	struct store *s = arg;

	if (status < 0) {
		log_warn("suppressions are all looked up in the database, "
			 "which was not read to its end: %s",
		    strerror(-status));
	} else if (store_filter_is_complete(s->filter)) {
		log_info("suppressions: %llu read, their filter is ready",
		    (unsigned long long)s->filled);
	}
	if (s->file_status < 0) {
		warn_no_file(s->file_status);
	}
}

void
store_filling_start(struct store *s, const struct store_options *o)
{
	s->filter = store_filter_new(o->filter_bytes);
	if (open_file(s, o->boot) == 1) {
		s->is_written = true;
		log_info("suppressions: their filter is ready");
	} else {
		s->filler = store_helper_new(fill, s, on_filled, s);
	}
}

void
store_filling_stop(struct store *s)
{
	store_helper_free(&s->filler);
}

void
store_filling_end(struct store *s)
{
	store_filter_file_close(&s->filter_file);
	store_filter_free(&s->filter);
}
