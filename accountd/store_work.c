/*
 * Long work on the database, in threads of their own: the filter is filled,
 * a copy is made.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "store_db.h"

/* The library's codes to ours. */
int
store_errno(int r)
{
	if (r == 0) {
		return 0;
	}
	if (r == DB_NOTFOUND) {
		return -ENOENT;
	}
	return r == ENOSPC || r == ENOMEM ? -r : -EIO;
}

DBT
store_dbt(struct str s)
{
	/* The library does not write to what it is given. */
	union {
		const char *in;
		void *out;
	} u = { .in = s.p };

	return (DBT){ .data = u.out,
		.size = (uint32_t)s.len,
		.ulen = (uint32_t)s.len,
		.flags = DB_DBT_USERMEM };
}

/* ---- the filter ----------------------------------------------------------
 */

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
		store_filter_add(f, (struct str){ (const char *)key, n_key });
		n++;
	}
	(void)data;
	(void)n_data;
	buf_clear(last, SIZE_MAX);
	buf_add(last, key, n_key);
	return n;
}

/* The piece that begins with the key *last. DB_NOTFOUND: there is no more. */
static int
fill_some(struct store *s, void *memory, struct buf *last)
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
	/* The last of the piece before is the first of this one. */
	return add_keys(s->filter, &v, last) == 1 && !is_first ? DB_NOTFOUND
							       : 0;
}

int
store_fill_filter(void *engine)
{
	struct store *s = engine;
	void *memory = mem_alloc(FILL_BYTES);
	struct buf last = { 0 };
	int r = 0;

	while (r == 0 && !atomic_load(&s->is_closing)) {
		pthread_mutex_lock(&s->writing);
		r = fill_some(s, memory, &last);
		pthread_mutex_unlock(&s->writing);
		(void)usleep(FILL_PAUSE_US);
	}
	if (r == DB_NOTFOUND) {
		store_filter_complete(s->filter);
		r = 0;
	}
	buf_fini(&last);
	free(memory);
	return store_errno(r);
}

void
store_filter_filled(void *arg, int status)
{
	(void)arg;
	if (status < 0) {
		log_warn("suppressions are all looked up in the database, "
			 "which was not read to its end: %s",
		    strerror(-status));
	}
}

/* ---- backup --------------------------------------------------------------
 */

static int
copy_all(struct store *s)
{
	DB_ENV *env = s->env;
	int r = env->txn_checkpoint(env, 0, 0, DB_FORCE);

	/* Logs that go while they are copied would be an error, logs of before
	 * are no use. */
	if (r == 0) {
		r = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 0);
	}
	if (r == 0) {
		r = env->log_archive(env, NULL, DB_ARCH_REMOVE);
	}
	if (r == 0) {
		r = env->backup(env, s->copy_to,
		    DB_CREATE | DB_BACKUP_CLEAN | DB_BACKUP_SINGLE_DIR);
	}
	if (env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1) != 0 && r == 0) {
		r = EIO;
	}
	return r;
}

/* In the copier's thread. */
static int
copy(void *engine)
{
	struct store *s = engine;
	int r;

	pthread_mutex_lock(&s->no_checkpoint);
	r = copy_all(s);
	pthread_mutex_unlock(&s->no_checkpoint);
	return store_errno(r);
}

static uint64_t
size_bytes(const struct store *s)
{
	struct stat st = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), "%s/" STORE_FILE, s->directory);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int
store_backup(struct store *s, const char *to, store_sync_fn *fn, void *arg)
{
	if (s->copier != NULL && !store_helper_is_done(s->copier)) {
		return -EBUSY;
	}
	if (store_space_free(s->directory) <
	    size_bytes(s) + s->checkpoint_bytes + s->space.min_free) {
		return -ENOSPC;
	}
	store_helper_free(&s->copier);
	free(s->copy_to);
	s->copy_to = mem_strdup(to);
	s->copier = store_helper_new(copy, s, fn, arg);
	return 0;
}
