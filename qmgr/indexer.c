#include "indexer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "journal.h"
#include "journal_index.h"
#include "log.h"

#define PATH_SIZE (JOURNAL_NAME_SIZE + 8)
/* Read of an index to see whether it is one. */
#define HEADER 64

struct indexer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint32_t *todo; /* numbers; the last one is next */
	size_t n, cap;
	bool is_working;
	bool is_closing;
	uint32_t failed; /* file, not told yet; 0: none */
	int status;	 /* why, -errno */
};

static void
path_of(uint32_t number, bool is_index, char *path)
{
	memcpy(path, "jrn/", 4);
	if (is_index) {
		journal_index_name(number, path + 4);
	} else {
		journal_name(number, path + 4);
	}
}

/* Whether it is whole is seen by who reads it. */
static bool
has_index(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t head[HEADER];

	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	    memcmp(head, "PBIDX", 5) == 0;
}

/* The name comes when the content is durable; that the name is too does not
 * matter. */
static int
put(const char *path, const struct buf *index)
{
	char temp[PATH_SIZE + 8];
	autoclose int fd = -1;
	int r;

	(void)snprintf(temp, sizeof(temp), "%s.new", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0) {
		return -errno;
	}
	r = file_write(fd, index->p, index->len);
	if (r == 0 && fdatasync(fd) < 0) {
		r = -errno;
	}
	if (r == 0 && rename(temp, path) < 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlink(temp);
	}
	return r;
}

static int
make(uint32_t number)
{
	char journal[PATH_SIZE], path[PATH_SIZE];
	struct buf index = { 0 };
	autoclose int fd = -1;
	int r;

	path_of(number, false, journal);
	path_of(number, true, path);
	if (has_index(path)) {
		return 0;
	}
	fd = open(journal, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return errno == ENOENT ? 0 : -errno;
	}
	r = journal_index_build(fd, number, &index);
	if (r == 0) {
		r = put(path, &index);
	}
	buf_fini(&index);
	if (r == 0 && access(journal, F_OK) < 0) {
		(void)unlink(path); /* it was removed meanwhile */
	}
	return r == -ENODATA ? 0 : r;
}

/* Of journal files that retention removed when there was no time for both. */
static void
remove_strays(void)
{
	DIR *d = opendir("jrn");
	struct dirent *e;
	char journal[PATH_SIZE], path[PATH_SIZE];
	uint32_t number;

	if (d == NULL) {
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (journal_index_name_parse(str_of(e->d_name), &number) < 0) {
			continue;
		}
		path_of(number, false, journal);
		path_of(number, true, path);
		if (access(journal, F_OK) < 0 && errno == ENOENT) {
			(void)unlink(path);
		}
	}
	(void)closedir(d);
}

/* In the loop: the log is not for threads. */
static void
tell_failure(struct indexer *x)
{
	if (x->failed == 0) {
		return;
	}
	if (x->status == -EUCLEAN) {
		log_warn("journal file %08x is damaged: it gets no index, and "
			 "searches read it whole",
		    x->failed);
	} else {
		log_warn("journal file %08x gets no index: %s", x->failed,
		    strerror(-x->status));
	}
	x->failed = 0;
}

/* The newest first: those are asked for most. */
static bool
take(struct indexer *x, uint32_t *number)
{
	while (x->n == 0 && !x->is_closing) {
		(void)pthread_cond_wait(&x->wake, &x->lock);
	}
	if (x->is_closing) {
		return false;
	}
	*number = x->todo[--x->n];
	return true;
}

static void *
work(void *arg)
{
	struct indexer *x = arg;
	uint32_t number;

	remove_strays();
	(void)pthread_mutex_lock(&x->lock);
	while (take(x, &number)) {
		int r;

		x->is_working = true;
		(void)pthread_mutex_unlock(&x->lock);
		r = make(number);
		(void)pthread_mutex_lock(&x->lock);
		x->is_working = false;
		if (r < 0) {
			x->failed = number;
			x->status = r;
		}
	}
	(void)pthread_mutex_unlock(&x->lock);
	return NULL;
}

struct indexer *
indexer_new(void)
{
	struct indexer *x = mem_alloc(sizeof(*x));
	sigset_t all;
	sigset_t before;

	bug_on(pthread_mutex_init(&x->lock, NULL) != 0);
	bug_on(pthread_cond_init(&x->wake, NULL) != 0);
	/* Signals are the loop's business. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	bug_on(pthread_create(&x->thread, NULL, work, x) != 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return x;
}

void
indexer_free(struct indexer **at)
{
	struct indexer *x = *at;

	if (x == NULL) {
		return;
	}
	*at = NULL;
	(void)pthread_mutex_lock(&x->lock);
	x->is_closing = true;
	(void)pthread_cond_signal(&x->wake);
	(void)pthread_mutex_unlock(&x->lock);
	(void)pthread_join(x->thread, NULL);
	tell_failure(x);
	(void)pthread_cond_destroy(&x->wake);
	(void)pthread_mutex_destroy(&x->lock);
	free(x->todo);
	free(x);
}

void
indexer_add(struct indexer *x, uint32_t number)
{
	(void)pthread_mutex_lock(&x->lock);
	tell_failure(x);
	if (x->n == x->cap) {
		x->cap = x->cap != 0 ? x->cap * 2 : 64;
		x->todo = mem_resize(x->todo, x->cap * sizeof(*x->todo));
	}
	x->todo[x->n++] = number;
	(void)pthread_cond_signal(&x->wake);
	(void)pthread_mutex_unlock(&x->lock);
}

unsigned
indexer_pending(struct indexer *x)
{
	unsigned n;

	(void)pthread_mutex_lock(&x->lock);
	n = (unsigned)x->n + x->is_working;
	(void)pthread_mutex_unlock(&x->lock);
	return n;
}
