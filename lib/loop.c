#include "loop.h"

#include <event2/event.h>
#include <sys/time.h>

#include "buf.h"
#include "clock.h"
#include "log.h"

struct loop_io {
	struct event *ev;
	int fd;
	unsigned want;
	loop_io_fn *fn;
	void *arg;
};

struct loop_timer {
	struct event *ev;
	loop_fn *fn;
	void *arg;
};

struct loop_signal {
	struct event *ev;
	loop_fn *fn;
	void *arg;
};

struct queue {
	struct loop_defer *head;
	struct loop_defer **tail;
};

static struct event_base *base;
static struct queue early = { NULL, &early.head };
static struct queue late = { NULL, &late.head };
static bool is_stopped;

void
loop_init(void)
{
	struct event_config *c = event_config_new();

	bug_on(c == NULL);
	/* Precise timers cost a system call each turn and gain nothing. */
	(void)event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(c);
	event_config_free(c);
	bug_on(base == NULL);
	is_stopped = false;
}

void
loop_fini(void)
{
	event_base_free(base);
	base = NULL;
	libevent_global_shutdown();
}

struct event_base *
loop_base(void)
{
	return base;
}

static struct loop_defer *
pop(struct queue *q)
{
	struct loop_defer *d = q->head;

	if (d != NULL) {
		q->head = d->next;
		if (q->head == NULL) {
			q->tail = &q->head;
		}
		d->is_pending = false;
	}
	return d;
}

static void
run_deferred(void)
{
	for (;;) {
		struct loop_defer *d = pop(&early);

		if (d == NULL) {
			d = pop(&late);
		}
		if (d == NULL) {
			return;
		}
		d->fn(d->arg);
	}
}

void
loop_run(void)
{
	run_deferred();
	while (!is_stopped) {
		if (event_base_loop(base, EVLOOP_ONCE) < 0) {
			break;
		}
		run_deferred();
		log_flush();
	}
}

void
loop_stop(void)
{
	is_stopped = true;
	(void)event_base_loopbreak(base);
}

static void
push(struct queue *q, struct loop_defer *d, loop_fn *fn, void *arg)
{
	if (d->is_pending) {
		return;
	}
	*d = (struct loop_defer){ NULL, fn, arg, true };
	*q->tail = d;
	q->tail = &d->next;
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
unlink_from(struct queue *q, struct loop_defer *d)
{
	for (struct loop_defer **at = &q->head; *at != NULL;
	     at = &(*at)->next) {
		if (*at == d) {
			*at = d->next;
			if (*at == NULL) {
				q->tail = at;
			}
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

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;
	unsigned ready = 0;

	(void)fd;
	clock_update();
	ready |= (what & EV_READ) != 0 ? LOOP_READ : 0;
	ready |= (what & EV_WRITE) != 0 ? LOOP_WRITE : 0;
	io->fn(io->arg, ready);
}

static void
io_assign(struct loop_io *io)
{
	short what = EV_PERSIST;

	what |= (io->want & LOOP_READ) != 0 ? EV_READ : 0;
	what |= (io->want & LOOP_WRITE) != 0 ? EV_WRITE : 0;
	bug_on(event_assign(io->ev, base, io->fd, what, on_io, io) < 0);
	if (io->want != 0) {
		bug_on(event_add(io->ev, NULL) < 0);
	}
}

struct loop_io *
loop_io_new(int fd, unsigned want, loop_io_fn *fn, void *arg)
{
	struct loop_io *io =
	    mem_alloc(sizeof(*io) + event_get_struct_event_size());

	*io = (struct loop_io){ (struct event *)(void *)(io + 1), fd, want, fn,
		arg };
	io_assign(io);
	return io;
}

void
loop_io_want(struct loop_io *io, unsigned want)
{
	if (io->want != want) {
		(void)event_del(io->ev);
		io->want = want;
		io_assign(io);
	}
}

void
loop_io_free(struct loop_io **io)
{
	if (*io != NULL) {
		(void)event_del((*io)->ev);
		free(*io);
		*io = NULL;
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	clock_update();
	t->fn(t->arg);
}

struct loop_timer *
loop_timer_new(loop_fn *fn, void *arg)
{
	struct loop_timer *t =
	    mem_alloc(sizeof(*t) + event_get_struct_event_size());

	*t = (struct loop_timer){ (struct event *)(void *)(t + 1), fn, arg };
	bug_on(event_assign(t->ev, base, -1, 0, on_timer, t) < 0);
	return t;
}

void
loop_timer_arm(struct loop_timer *t, uint64_t in_us)
{
	struct timeval tv = { (time_t)(in_us / US_PER_S),
		(suseconds_t)(in_us % US_PER_S) };

	bug_on(event_add(t->ev, &tv) < 0);
}

void
loop_timer_stop(struct loop_timer *t)
{
	(void)event_del(t->ev);
}

bool
loop_timer_is_armed(const struct loop_timer *t)
{
	return event_pending(t->ev, EV_TIMEOUT, NULL) != 0;
}

void
loop_timer_free(struct loop_timer **t)
{
	if (*t != NULL) {
		(void)event_del((*t)->ev);
		free(*t);
		*t = NULL;
	}
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)fd;
	(void)what;
	clock_update();
	s->fn(s->arg);
}

struct loop_signal *
loop_signal_new(int signo, loop_fn *fn, void *arg)
{
	struct loop_signal *s =
	    mem_alloc(sizeof(*s) + event_get_struct_event_size());

	*s = (struct loop_signal){ (struct event *)(void *)(s + 1), fn, arg };
	bug_on(event_assign(s->ev, base, signo, EV_SIGNAL | EV_PERSIST,
		   on_signal, s) < 0);
	bug_on(event_add(s->ev, NULL) < 0);
	return s;
}

void
loop_signal_free(struct loop_signal **s)
{
	if (*s != NULL) {
		(void)event_del((*s)->ev);
		free(*s);
		*s = NULL;
	}
}
