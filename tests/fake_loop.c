#include "fake_loop.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "loop.h"

struct loop_io {
	struct loop_io *next;
	int fd;
	unsigned want;
	loop_io_fn *fn;
	void *arg;
	unsigned serial; /* of the turn that may call it */
};

struct loop_timer {
	struct loop_timer *next;
	uint64_t at; /* 0: not armed */
	loop_fn *fn;
	void *arg;
};

struct loop_signal {
	int signo;
};

static struct loop_io *ios;
static struct loop_timer *timers;
static struct loop_defer *early, *late;
static uint64_t now_us = 1000 * US_PER_S;
static bool is_stopped;

uint64_t
clock_mono_us(void)
{
	return now_us;
}

uint64_t
clock_wall_us(void)
{
	return FAKE_START_US + now_us - 1000 * US_PER_S;
}

void
clock_update(void)
{
}

void
loop_init(void)
{
	is_stopped = false;
}

void
loop_fini(void)
{
}

struct event_base *
loop_base(void)
{
	return NULL;
}

void
loop_stop(void)
{
	is_stopped = true;
}

static void
push(struct loop_defer **list, struct loop_defer *d, loop_fn *fn, void *arg)
{
	if (d->is_pending) {
		return;
	}
	*d = (struct loop_defer){ NULL, fn, arg, true };
	while (*list != NULL) {
		list = &(*list)->next;
	}
	*list = d;
}

void
loop_defer(struct loop_defer *d, loop_fn *fn, void *arg)
{
	push(&early, d, fn, arg);
}

void
loop_defer_late(struct loop_defer *d, loop_fn *fn, void *arg)
{
	push(&late, d, fn, arg);
}

static void
unlink_from(struct loop_defer **list, struct loop_defer *d)
{
	for (; *list != NULL; list = &(*list)->next) {
		if (*list == d) {
			*list = d->next;
			return;
		}
	}
}

void
loop_defer_cancel(struct loop_defer *d)
{
	if (d->is_pending) {
		unlink_from(&early, d);
		unlink_from(&late, d);
		d->is_pending = false;
	}
}

static bool
run_deferred(void)
{
	bool any = false;

	while (early != NULL || late != NULL) {
		struct loop_defer **list = early != NULL ? &early : &late;
		struct loop_defer *d = *list;

		*list = d->next;
		d->is_pending = false;
		d->fn(d->arg);
		any = true;
	}
	return any;
}

struct loop_io *
loop_io_new(int fd, unsigned want, loop_io_fn *fn, void *arg)
{
	struct loop_io *io = mem_alloc(sizeof(*io));

	*io = (struct loop_io){ ios, fd, want, fn, arg, 0 };
	ios = io;
	return io;
}

void
loop_io_want(struct loop_io *io, unsigned want)
{
	io->want = want;
}

void
loop_io_free(struct loop_io **io)
{
	if (*io == NULL) {
		return;
	}
	for (struct loop_io **at = &ios; *at != NULL; at = &(*at)->next) {
		if (*at == *io) {
			*at = (*io)->next;
			break;
		}
	}
	free(*io);
	*io = NULL;
}

struct loop_timer *
loop_timer_new(loop_fn *fn, void *arg)
{
	struct loop_timer *t = mem_alloc(sizeof(*t));

	*t = (struct loop_timer){ timers, 0, fn, arg };
	timers = t;
	return t;
}

void
loop_timer_arm(struct loop_timer *t, uint64_t in_us)
{
	t->at = now_us + in_us;
}

void
loop_timer_stop(struct loop_timer *t)
{
	t->at = 0;
}

bool
loop_timer_is_armed(const struct loop_timer *t)
{
	return t->at != 0;
}

void
loop_timer_free(struct loop_timer **t)
{
	if (*t == NULL) {
		return;
	}
	for (struct loop_timer **at = &timers; *at != NULL; at = &(*at)->next) {
		if (*at == *t) {
			*at = (*t)->next;
			break;
		}
	}
	free(*t);
	*t = NULL;
}

struct loop_signal *
loop_signal_new(int signo, loop_fn *fn, void *arg)
{
	struct loop_signal *s = mem_alloc(sizeof(*s));

	(void)fn;
	(void)arg;
	s->signo = signo;
	return s;
}

void
loop_signal_free(struct loop_signal **s)
{
	free(*s);
	*s = NULL;
}

static struct pollfd
poll_of(const struct loop_io *io)
{
	struct pollfd p = { .fd = io->fd };

	p.events |= (io->want & LOOP_READ) != 0 ? POLLIN : 0;
	p.events |= (io->want & LOOP_WRITE) != 0 ? POLLOUT : 0;
	return p;
}

/* Calls one descriptor that is ready and was not called in this turn. */
static bool
call_one(unsigned serial)
{
	for (struct loop_io *io = ios; io != NULL; io = io->next) {
		struct pollfd p = poll_of(io);
		unsigned ready = 0;

		if (io->want == 0 || io->serial == serial) {
			continue;
		}
		if (poll(&p, 1, 0) <= 0) {
			continue;
		}
		ready |= (p.revents & (POLLIN | POLLHUP | POLLERR)) != 0
		    ? LOOP_READ
		    : 0;
		ready |= (p.revents & (POLLOUT | POLLHUP | POLLERR)) != 0
		    ? LOOP_WRITE
		    : 0;
		ready &= io->want;
		io->serial = serial;
		if (ready != 0) {
			io->fn(io->arg, ready);
			return true;
		}
	}
	return false;
}

static bool
call_ready(void)
{
	static unsigned serial;
	bool any = false;

	serial++;
	while (call_one(serial)) {
		any = true;
	}
	return any;
}

static struct loop_timer *
next_timer(void)
{
	struct loop_timer *first = NULL;

	for (struct loop_timer *t = timers; t != NULL; t = t->next) {
		if (t->at != 0 && (first == NULL || t->at < first->at)) {
			first = t;
		}
	}
	return first;
}

static bool
call_timers(void)
{
	bool any = false;

	for (;;) {
		struct loop_timer *t = next_timer();

		if (t == NULL || t->at > now_us) {
			return any;
		}
		t->at = 0;
		t->fn(t->arg);
		any = true;
	}
}

bool
fake_loop_turn(void)
{
	bool any = run_deferred();

	any = call_ready() || any;
	any = run_deferred() || any;
	any = call_timers() || any;
	return run_deferred() || any;
}

/* Long enough for a child to say something, milliseconds. */
#define CHILD_WAIT_MS 2

/* Whether this process has children, which may still have something to say. */
static bool
has_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Whether some descriptor of all is ready; given a child, after a moment. */
static bool
is_any_ready(void)
{
	struct buf all = { 0 };
	int n;

	for (struct loop_io *io = ios; io != NULL; io = io->next) {
		struct pollfd p = poll_of(io);

		if (io->want != 0) {
			buf_add(&all, &p, sizeof(p));
		}
	}
	n = poll((struct pollfd *)(void *)all.p,
	    all.len / sizeof(struct pollfd), has_child() ? CHILD_WAIT_MS : 0);
	buf_fini(&all);
	return n > 0;
}

/* Whether the task's state says that it has something to do. */
static bool
is_busy(int task)
{
	char path[64];
	char line[128];
	const char *state = NULL;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", task);
	f = fopen(path, "re");
	if (f == NULL) {
		return false; /* it has ended */
	}
	if (fgets(line, sizeof(line), f) != NULL) {
		state = strrchr(line, ')');
	}
	(void)fclose(f);
	return state != NULL && (state[2] == 'R' || state[2] == 'D');
}

/* Whether a helper thread works, however loaded the machine is. */
static bool
is_helper_busy(void)
{
	DIR *d = opendir("/proc/self/task");
	const struct dirent *e;
	bool any = false;

	while (d != NULL && !any && (e = readdir(d)) != NULL) {
		int task = atoi(e->d_name);

		any = task != 0 && task != getpid() && is_busy(task);
	}
	if (d != NULL) {
		(void)closedir(d);
	}
	return any;
}

void
fake_loop_settle(void)
{
	do {
		while (fake_loop_turn()) {
		}
		/* In this order: a helper tells its end before it rests. */
	} while (is_helper_busy() || is_any_ready());
}

void
fake_loop_pass(uint64_t us)
{
	uint64_t end = now_us + us;

	for (;;) {
		struct loop_timer *t;

		while (fake_loop_turn()) {
		}
		t = next_timer();
		if (t == NULL || t->at > end) {
			break;
		}
		now_us = t->at;
	}
	now_us = end;
	(void)fake_loop_turn();
}

void
loop_run(void)
{
	is_stopped = false;
	while (!is_stopped) {
		struct loop_timer *t;

		if (fake_loop_turn()) {
			continue;
		}
		t = next_timer();
		if (t == NULL) {
			return;
		}
		now_us = t->at;
	}
}
