/*
 * What the store's files share, and a copy of the database, made by a thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
