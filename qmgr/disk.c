#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "attr.h"
#include "buf.h"
#include "file.h"
#include "loop.h"

#define PATH_SIZE 64

enum order_kind {
	ORDER_CREATE,
	ORDER_REMOVE,
	ORDER_REMOVE_LAZILY,
	ORDER_REPLACE,
	ORDER_RUN,
};

struct order {
	struct order *next;
	enum order_kind kind;
	char path[PATH_SIZE];
	void *content; /* of ORDER_REPLACE; the job of ORDER_RUN */
	size_t content_len;
	int (*task)(void *job); /* of ORDER_RUN */
	disk_done_fn *fn;
	void *arg;
	uint64_t number;
	int status;
	int fd;
};

struct fifo {
	struct order *first;
	struct order **last;
};

struct disk {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct fifo todo;
	struct fifo done;
	bool is_closing;
	int event; /* eventfd: done is not empty */
	struct loop_io *io;
};

static void
fifo_init(struct fifo *f)
{
	f->first = NULL;
	f->last = &f->first;
}

static void
fifo_put(struct fifo *f, struct order *o)
{
	o->next = NULL;
	*f->last = o;
	f->last = &o->next;
}

static struct order *
fifo_take(struct fifo *f)
{
	struct order *o = f->first;

	if (o == NULL) {
		return NULL;
	}
	f->first = o->next;
	if (f->first == NULL) {
		f->last = &f->first;
	}
	return o;
}

/* ---- in the thread ------------------------------------------------------ */

static int
sync_parent(const char *path)
{
	char dir[PATH_SIZE];
	char *slash;
	autoclose int fd = -1;

	(void)snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == NULL) {
		(void)snprintf(dir, sizeof(dir), ".");
	} else {
		*slash = '\0';
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0) {
		return -errno;
	}
	return 0;
}

static int
create(struct order *o)
{
	int fd;
	int r;

	fd = open(o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0) {
		return -errno;
	}
	r = sync_parent(o->path);
	if (r < 0) {
		(void)close(fd);
		(void)unlink(o->path);
		return r;
	}
	o->fd = fd;
	return 0;
}

static int
remove_file(const struct order *o)
{
	if (unlink(o->path) < 0 && errno != ENOENT) {
		return -errno;
	}
	return o->kind == ORDER_REMOVE ? sync_parent(o->path) : 0;
}

static int
replace(const struct order *o)
{
	char tmp[PATH_SIZE + 8];
	autoclose int fd = -1;
	int r;

	(void)snprintf(tmp, sizeof(tmp), "%s.new", o->path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0) {
		return -errno;
	}
	r = file_write(fd, o->content, o->content_len);
	if (r < 0) {
		return r;
	}
	if (fsync(fd) < 0 || rename(tmp, o->path) < 0) {
		return -errno;
	}
	return sync_parent(o->path);
}

static int
carry_out(struct order *o)
{
	switch (o->kind) {
	case ORDER_CREATE:
		return create(o);
	case ORDER_REMOVE:
	case ORDER_REMOVE_LAZILY:
		return remove_file(o);
	case ORDER_REPLACE:
		return replace(o);
	case ORDER_RUN:
		return o->task(o->content);
	}
	return -EINVAL;
}

static void *
work(void *arg)
{
	struct disk *d = arg;
	uint64_t one = 1;
	struct order *o;

	(void)pthread_mutex_lock(&d->lock);
	for (;;) {
		o = fifo_take(&d->todo);
		if (o == NULL) {
			if (d->is_closing) {
				break;
			}
			(void)pthread_cond_wait(&d->wake, &d->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&d->lock);
		o->status = carry_out(o);
		(void)pthread_mutex_lock(&d->lock);
		fifo_put(&d->done, o);
		/* Cannot fail short of 2^64 - 1 unread ends. */
		(void)!write(d->event, &one, sizeof(one));
	}
	(void)pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* ---- in the loop -------------------------------------------------------- */

static void
order_free(struct order *o)
{
	free(o->content);
	free(o);
}

static void
tell_ends(struct disk *d)
{
	struct order *o;

	for (;;) {
		(void)pthread_mutex_lock(&d->lock);
		o = fifo_take(&d->done);
		(void)pthread_mutex_unlock(&d->lock);
		if (o == NULL) {
			return;
		}
		if (o->fn != NULL) {
			o->fn(o->arg, o->number, o->status, o->fd);
		}
		order_free(o);
	}
}

static void
on_event(void *arg, unsigned ready)
{
	struct disk *d = arg;
	uint64_t n;

	(void)ready;
	(void)!read(d->event, &n, sizeof(n));
	tell_ends(d);
}

static void
give_order(struct disk *d, struct order *o)
{
	if (d->is_closing) {
		order_free(o);
		return;
	}
	(void)pthread_mutex_lock(&d->lock);
	fifo_put(&d->todo, o);
	(void)pthread_cond_signal(&d->wake);
	(void)pthread_mutex_unlock(&d->lock);
}

static struct order *
order_new(enum order_kind kind, const char *path, disk_done_fn *fn, void *arg,
    uint64_t number)
{
	struct order *o = mem_alloc(sizeof(*o));

	bug_on(strlen(path) >= sizeof(o->path));
	o->kind = kind;
	(void)snprintf(o->path, sizeof(o->path), "%s", path);
	o->fn = fn;
	o->arg = arg;
	o->number = number;
	o->fd = -1;
	return o;
}

struct disk *
disk_new(void)
{
	struct disk *d = mem_alloc(sizeof(*d));
	sigset_t all;
	sigset_t before;

	fifo_init(&d->todo);
	fifo_init(&d->done);
	d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bug_on(d->event < 0);
	bug_on(pthread_mutex_init(&d->lock, NULL) != 0);
	bug_on(pthread_cond_init(&d->wake, NULL) != 0);
	/* Signals are the loop's business. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	bug_on(pthread_create(&d->thread, NULL, work, d) != 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	d->io = loop_io_new(d->event, LOOP_READ, on_event, d);
	return d;
}

void
disk_free(struct disk **dp)
{
	struct disk *d = *dp;

	if (d == NULL) {
		return;
	}
	(void)pthread_mutex_lock(&d->lock);
	d->is_closing = true;
	(void)pthread_cond_signal(&d->wake);
	(void)pthread_mutex_unlock(&d->lock);
	(void)pthread_join(d->thread, NULL);
	loop_io_free(&d->io);
	tell_ends(d);
	*dp = NULL; /* the ends may have given orders, which came too late */
	(void)close(d->event);
	(void)pthread_cond_destroy(&d->wake);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
}

void
disk_create(struct disk *d, const char *path, disk_done_fn *fn, void *arg,
    uint64_t number)
{
	give_order(d, order_new(ORDER_CREATE, path, fn, arg, number));
}

void
disk_remove(struct disk *d, const char *path, disk_done_fn *fn, void *arg,
    uint64_t number)
{
	give_order(d, order_new(ORDER_REMOVE, path, fn, arg, number));
}

void
disk_remove_lazily(struct disk *d, const char *path)
{
	give_order(d, order_new(ORDER_REMOVE_LAZILY, path, NULL, NULL, 0));
}

void
disk_replace(struct disk *d, const char *path, struct str content,
    disk_done_fn *fn, void *arg, uint64_t number)
{
	struct order *o = order_new(ORDER_REPLACE, path, fn, arg, number);

	o->content = mem_dup(content.p, content.len);
	o->content_len = content.len;
	give_order(d, o);
}

void
disk_run(struct disk *d, int (*task)(void *job), void *job, disk_done_fn *fn,
    void *arg, uint64_t number)
{
	struct order *o = order_new(ORDER_RUN, "", fn, arg, number);

	o->task = task;
	o->content = job;
	give_order(d, o);
}
