/*
 * The store with Berkeley DB: one environment, private to this process, one
 * file with a named database for each table. Commits do not wait for the
 * disk (DB_TXN_NOSYNC); the thread of store_sync.c flushes the log.
 */
#include "store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "store_db.h"
#include "store_filter.h"
#include "store_helper.h"
#include "store_space.h"
#include "store_sync.h"

#define LOG_BUFFER (1u << 20)
#define LOG_FILE (8u << 20)
#define LOCKS_MAX 100000
/* Of the log, beside the key and value of a record that is put: about. */
#define LOG_OVERHEAD 100u

static const char *const table_names[STORE_TABLES] = {
	[STORE_INSTANCE] = "instance",
	[STORE_ACCOUNT] = "account",
	[STORE_KEY] = "key",
	[STORE_KEY_USE] = "key_use",
	[STORE_DOMAIN] = "domain",
	[STORE_HOOK] = "hook",
	[STORE_SUPPRESSION] = "suppression",
	[STORE_TALLY] = "tally",
	[STORE_CURSOR] = "cursor",
	[STORE_SOURCE] = "source",
	[STORE_WARM] = "warm",
	[STORE_WARM_SENT] = "warm_sent",
	[STORE_NOTICE] = "notice",
	[STORE_FILTER] = "filter",
};

struct store_txn {
	struct store *store;
	DB_TXN *txn;
};

/* What the library said first of a failure, in this thread: later words tell
 * of what follows from it. The log is the loop's. */
static _Thread_local char first_words[256];

static void
on_error(const DB_ENV *env, const char *prefix, const char *text)
{
	(void)env;
	(void)prefix;
	if (first_words[0] == '\0') {
		snprintf(first_words, sizeof(first_words), "%s", text);
	}
}

/* The same, where every failure is worth a line in the log. */
static int
failed(const char *what, int r)
{
	if (r != 0) {
		log_error("database: %s: %s%s%s", what, db_strerror(r),
		    first_words[0] != '\0' ? ": " : "", first_words);
	}
	first_words[0] = '\0';
	return store_errno(r);
}

static int
configure(DB_ENV *env, const struct store_options *o)
{
	int r;

	env->set_errcall(env, on_error);
	if ((r = env->set_cachesize(env, (uint32_t)(o->cache_size >> 30),
		 (uint32_t)(o->cache_size & ((1u << 30) - 1)), 1)) != 0 ||
	    (r = env->set_tmp_dir(env, ".")) != 0 ||
	    (r = env->set_lk_detect(env, DB_LOCK_YOUNGEST)) != 0 ||
	    (r = env->set_lk_max_locks(env, LOCKS_MAX)) != 0 ||
	    (r = env->set_lk_max_objects(env, LOCKS_MAX)) != 0 ||
	    (r = env->set_lg_bsize(env, LOG_BUFFER)) != 0 ||
	    (r = env->set_lg_max(env, LOG_FILE)) != 0 ||
	    (r = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1)) != 0) {
		return r;
	}
	return 0;
}

static int
open_tables(struct store *s)
{
	DB_TXN *txn = NULL;
	int r = s->env->txn_begin(s->env, NULL, &txn, 0);

	for (size_t i = 0; r == 0 && i < STORE_TABLES; i++) {
		r = db_create(&s->tables[i], s->env, 0);
		if (r == 0) {
			r = s->tables[i]->open(s->tables[i], txn, STORE_FILE,
			    table_names[i], DB_BTREE, DB_CREATE | DB_THREAD,
			    0600);
		}
	}
	if (r != 0) {
		if (txn != NULL) {
			(void)txn->abort(txn); /* the first error is told */
		}
		return r;
	}
	return txn->commit(txn, 0);
}

static int
flush(void *engine)
{
	struct store *s = engine;

	return store_errno(s->env->log_flush(s->env, NULL));
}

/* Without space it has to wait: the log is kept until then. */
static int
checkpoint(void *engine)
{
	struct store *s = engine;
	int r;

	if (pthread_mutex_trylock(&s->no_checkpoint) != 0) {
		return 0;
	}
	r = s->env->txn_checkpoint(s->env, 0, 0, 0);
	pthread_mutex_unlock(&s->no_checkpoint);
	return r == ENOSPC ? 0 : store_errno(r);
}

static const struct store_sync_ops sync_ops = { flush, checkpoint };

static void
close_all(struct store *s)
{
	for (size_t i = 0; i < STORE_TABLES; i++) {
		if (s->tables[i] != NULL) {
			/* What could fail here, recovery repairs. */
			(void)s->tables[i]->close(s->tables[i], 0);
		}
	}
	if (s->env != NULL) {
		(void)s->env->close(s->env, 0);
	}
	pthread_mutex_destroy(&s->no_checkpoint);
	pthread_mutex_destroy(&s->writing);
	free(s->copy_to);
	free(s->directory);
	free(s);
}

int
store_open(const struct store_options *o, struct store **out, struct buf *error)
{
	const uint32_t flags = DB_CREATE | DB_INIT_TXN | DB_INIT_LOCK |
	    DB_INIT_LOG | DB_INIT_MPOOL | DB_PRIVATE | DB_THREAD | DB_RECOVER;
	struct store *s = mem_alloc(sizeof(*s));
	int r = db_env_create(&s->env, 0);

	pthread_mutex_init(&s->no_checkpoint, NULL);
	pthread_mutex_init(&s->writing, NULL);
	s->directory = mem_strdup(o->directory);
	s->space = (struct store_space){ .directory = s->directory,
		.min_free = o->min_free };
	s->checkpoint_bytes = o->checkpoint_bytes;
	if (r == 0) {
		r = configure(s->env, o);
	}
	if (r == 0) {
		r = s->env->open(s->env, o->directory, flags, 0600);
	}
	if (r == 0) {
		r = open_tables(s);
	}
	if (r != 0) {
		buf_printf(error, "cannot open the database in %s: %s%s%s",
		    o->directory, db_strerror(r),
		    first_words[0] != '\0' ? ": " : "", first_words);
		close_all(s);
		return store_errno(r);
	}
	s->syncer = store_syncer_new(&sync_ops, s, o->checkpoint_us);
	if (o->filter_bytes > 0) {
		store_filling_start(s, o);
	}
	*out = s;
	return 0;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;

	if (s == NULL) {
		return;
	}
	atomic_store(&s->is_closing, true);
	store_filling_stop(s);
	store_helper_free(&s->copier);
	store_syncer_free(&s->syncer);
	/* Only makes the next start faster. */
	(void)s->env->txn_checkpoint(s->env, 0, 0, 0);
	store_filling_end(s);
	close_all(s);
	*sp = NULL;
}

int
store_begin(struct store *s, struct store_txn **out)
{
	struct store_txn *t;
	bool began;
	int r;

	if (store_space_is_short(&s->space, &began)) {
		if (began) {
			/* While the pages can still be written: clean ones can
			 * be replaced by those that look-ups need. */
			store_syncer_checkpoint(s->syncer);
		}
		return -ENOSPC;
	}
	t = mem_alloc(sizeof(*t));
	bug_on(s->is_in_txn); /* the two would wait for each other */
	pthread_mutex_lock(&s->writing);
	r = s->env->txn_begin(s->env, NULL, &t->txn, DB_TXN_NOSYNC);
	if (r != 0) {
		pthread_mutex_unlock(&s->writing);
		free(t);
		return failed("begin", r);
	}
	s->is_in_txn = true;
	t->store = s;
	*out = t;
	return 0;
}

int
store_put(struct store_txn *t, enum store_table table, struct str key,
    struct str value)
{
	DB *db = t->store->tables[table];
	DBT k = store_dbt(key);
	DBT v = store_dbt(value);

	t->store->written += key.len + value.len + LOG_OVERHEAD;
	if (table == STORE_SUPPRESSION && t->store->filter != NULL) {
		store_filling_note(t->store, key);
	}
	return failed("put", db->put(db, t->txn, &k, &v, 0));
}

int
store_del(struct store_txn *t, enum store_table table, struct str key)
{
	DB *db = t->store->tables[table];
	DBT k = store_dbt(key);
	int r;

	t->store->written += key.len + LOG_OVERHEAD;
	r = db->del(db, t->txn, &k, 0);
	if (table == STORE_SUPPRESSION && r == 0) {
		store_filling_note_removed(t->store);
	}
	return r == DB_NOTFOUND ? 0 : failed("delete", r);
}

int
store_commit(struct store_txn **tp)
{
	struct store_txn *t = *tp;
	struct store *s = t->store;
	int r = t->txn->commit(t->txn, DB_TXN_NOSYNC);

	s->is_in_txn = false;
	pthread_mutex_unlock(&s->writing);
	if (s->checkpoint_bytes > 0 && s->written > s->checkpoint_bytes) {
		s->written = 0;
		store_syncer_checkpoint(s->syncer);
	}

	free(t);
	*tp = NULL;
	return failed("commit", r);
}

void
store_abort(struct store_txn **tp)
{
	struct store_txn *t = *tp;

	if (t != NULL) {
		/* A failing abort breaks the environment; the next call
		 * tells. */
		(void)t->txn->abort(t->txn);
		t->store->is_in_txn = false;
		pthread_mutex_unlock(&t->store->writing);
		free(t);
		*tp = NULL;
	}
}

int
store_get(struct store *s, struct store_txn *t, enum store_table table,
    struct str key, struct buf *value)
{
	DB *db = s->tables[table];
	DBT k = store_dbt(key);
	DBT v = { .flags = DB_DBT_MALLOC };
	int r;

	if (table == STORE_SUPPRESSION && s->filter != NULL &&
	    !store_filter_may_have(s->filter, key)) {
		return -ENOENT;
	}
	r = db->get(db, t != NULL ? t->txn : NULL, &k, &v, 0);

	if (r == DB_NOTFOUND) {
		return -ENOENT;
	}
	if (r != 0) {
		return failed("get", r);
	}
	buf_add(value, v.data, v.size);
	free(v.data);
	return 0;
}

static bool
begins_with(const DBT *k, struct str prefix)
{
	return k->size >= prefix.len &&
	    (prefix.len == 0 || memcmp(k->data, prefix.p, prefix.len) == 0);
}

static int
each(DBC *c, struct str prefix, struct str after, store_fn *fn, void *arg)
{
	struct str first = after.len > 0 ? after : prefix;
	DBT k = { .flags = DB_DBT_REALLOC };
	DBT v = { .flags = DB_DBT_REALLOC };
	uint32_t step = DB_SET_RANGE;
	int stop = 0;
	int r;

	/* The first key is handed over in memory that can be replaced. */
	k.size = (uint32_t)first.len;
	k.data = malloc(first.len + 1);
	if (k.data == NULL) {
		return -ENOMEM;
	}
	memcpy(k.data, first.len > 0 ? first.p : "", first.len);
	while (stop == 0 && (r = c->get(c, &k, &v, step)) == 0 &&
	    begins_with(&k, prefix)) {
		struct str key = { k.data, k.size };

		if (step == DB_NEXT || after.len == 0 || !str_eq(key, after)) {
			stop = fn(arg, key, (struct str){ v.data, v.size });
		}
		step = DB_NEXT;
	}
	free(k.data);
	free(v.data);
	if (stop != 0) {
		return stop;
	}
	return r == DB_NOTFOUND ? 0 : failed("read", r);
}

int
store_each_after(struct store *s, enum store_table table, struct str prefix,
    struct str after, store_fn *fn, void *arg)
{
	DB *db = s->tables[table];
	DBC *c = NULL;
	int r = db->cursor(db, NULL, &c, 0);

	if (r != 0) {
		return failed("cursor", r);
	}
	r = each(c, prefix, after, fn, arg);
	(void)c->close(c); /* it only read */
	return r;
}

int
store_each(struct store *s, enum store_table table, struct str prefix,
    store_fn *fn, void *arg)
{
	return store_each_after(
	    s, table, prefix, (struct str){ .len = 0 }, fn, arg);
}

bool
store_is_filtered(const struct store *s)
{
	return s->filter != NULL && store_filter_is_complete(s->filter);
}

void
store_sync(struct store *s, store_sync_fn *fn, void *arg)
{
	store_syncer_ask(s->syncer, fn, arg);
}

int
store_sync_now(struct store *s)
{
	return failed("sync", s->env->log_flush(s->env, NULL));
}

void
store_sync_forget(struct store *s, void *arg)
{
	store_syncer_forget(s->syncer, arg);
}
