#include "saver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "file.h"
#include "log.h"
#include "loop.h"

#define NAME_SIZE 64

struct job {
	struct job *next;
	char name[NAME_SIZE];
	struct buf text;
	uint64_t limit; /* of the file appended to; 0: replace */
	saver_fn *fn;
	void *arg;
	int status;
};

struct job_list {
	struct job *first;
	struct job **last;
};

/* Shared with the thread, under the lock. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job_list todo, done;
	bool is_ending;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER };

static pthread_t thread;
static int wake_fd = -1;
static bool is_failing;
static struct loop_io *wake_io;

static void
list_init(struct job_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void
list_add(struct job_list *l, struct job *j)
{
	j->next = NULL;
	*l->last = j;
	l->last = &j->next;
}

static struct job *
list_take(struct job_list *l)
{
	struct job *j = l->first;

	if (j != NULL) {
		l->first = j->next;
		if (l->first == NULL) {
			l->last = &l->first;
		}
	}
	return j;
}

static int
write_durably(int fd, const struct buf *text)
{
	int r = file_write(fd, text->p, text->len);

	return r == 0 && fdatasync(fd) < 0 ? -errno : r;
}

static int
sync_directory(void)
{
	autoclose int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 || fsync(dir) < 0 ? -errno : 0;
}

static int
replace(const struct job *j)
{
	char temp[NAME_SIZE + 8];
	autoclose int fd = -1;
	int r;

	(void)snprintf(temp, sizeof(temp), "%s.tmp", j->name);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	r = write_durably(fd, &j->text);
	if (r == 0 && rename(temp, j->name) < 0) {
		r = -errno;
	}
	return r < 0 ? r : sync_directory();
}

static int
append(const struct job *j)
{
	char old[NAME_SIZE + 8];
	autoclose int fd = -1;
	struct stat st;
	int r;

	(void)snprintf(old, sizeof(old), "%s.old", j->name);
	if (stat(j->name, &st) == 0 && (uint64_t)st.st_size > j->limit &&
	    rename(j->name, old) < 0) {
		return -errno;
	}
	fd = open(j->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0) {
		return -errno;
	}
	r = write_durably(fd, &j->text);
	if (r < 0) {
		/* Half a line would spoil the next one. */
		(void)!ftruncate(fd, st.st_size);
		return r;
	}
	return st.st_size == 0 ? sync_directory() : 0;
}

static void *
work(void *arg)
{
	uint64_t one = 1;
	struct job *j;

	(void)arg;
	(void)pthread_mutex_lock(&shared.lock);
	for (;;) {
		j = list_take(&shared.todo);
		if (j == NULL && shared.is_ending) {
			break;
		}
		if (j == NULL) {
			(void)pthread_cond_wait(&shared.work, &shared.lock);
			continue;
		}
		(void)pthread_mutex_unlock(&shared.lock);
		j->status = j->limit != 0 ? append(j) : replace(j);
		(void)pthread_mutex_lock(&shared.lock);
		list_add(&shared.done, j);
		(void)!write(wake_fd, &one, sizeof(one));
	}
	(void)pthread_mutex_unlock(&shared.lock);
	return NULL;
}

static void
job_free(struct job *j)
{
	buf_fini(&j->text);
	free(j);
}

static struct job *
take_done(void)
{
	struct job *j;

	(void)pthread_mutex_lock(&shared.lock);
	j = list_take(&shared.done);
	(void)pthread_mutex_unlock(&shared.lock);
	return j;
}

/* A full disk fails once a second for hours: begin and end are told. */
static void
tell(const struct job *j)
{
	if (j->status < 0 && !is_failing) {
		log_error(
		    "%s: cannot be written: %s", j->name, strerror(-j->status));
	} else if (j->status == 0 && is_failing) {
		log_warn("%s: can be written again", j->name);
	}
	is_failing = j->status < 0;
}

static void
on_wake(void *arg, unsigned ready)
{
	uint64_t count;
	struct job *j;

	(void)arg;
	(void)ready;
	(void)!read(wake_fd, &count, sizeof(count));
	while ((j = take_done()) != NULL) {
		tell(j);
		j->fn(j->arg, j->status);
		job_free(j);
	}
}

void
saver_start(void)
{
	list_init(&shared.todo);
	list_init(&shared.done);
	shared.is_ending = false;
	is_failing = false;
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (wake_fd < 0 || pthread_create(&thread, NULL, work, NULL) != 0) {
		fatal("cannot start a thread: %s", strerror(errno));
	}
	wake_io = loop_io_new(wake_fd, LOOP_READ, on_wake, NULL);
}

void
saver_stop(void)
{
	struct job *j;

	if (wake_io == NULL) {
		return;
	}
	(void)pthread_mutex_lock(&shared.lock);
	shared.is_ending = true;
	(void)pthread_cond_signal(&shared.work);
	(void)pthread_mutex_unlock(&shared.lock);
	(void)pthread_join(thread, NULL);
	loop_io_free(&wake_io);
	(void)close(wake_fd);
	wake_fd = -1;
	while ((j = take_done()) != NULL) {
		job_free(j);
	}
}

static void
give(
    const char *name, struct buf *text, uint64_t limit, saver_fn *fn, void *arg)
{
	struct job *j = mem_alloc(sizeof(*j));

	str_copy(j->name, sizeof(j->name), str_of(name));
	buf_move(&j->text, text);
	j->limit = limit;
	j->fn = fn;
	j->arg = arg;
	(void)pthread_mutex_lock(&shared.lock);
	list_add(&shared.todo, j);
	(void)pthread_cond_signal(&shared.work);
	(void)pthread_mutex_unlock(&shared.lock);
}

void
saver_replace(const char *name, struct buf *text, saver_fn *fn, void *arg)
{
	give(name, text, 0, fn, arg);
}

void
saver_append(
    const char *name, struct buf *text, uint64_t limit, saver_fn *fn, void *arg)
{
	bug_on(limit == 0);
	give(name, text, limit, fn, arg);
}
