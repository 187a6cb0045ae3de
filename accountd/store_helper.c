#include "store_helper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "log.h"
#include "loop.h"

struct store_helper {
	int (*work)(void *engine);
	void *engine;
	store_sync_fn *fn; /* NULL: was called */
	void *arg;
	pthread_t thread;
	int status; /* the thread's until it has ended */
	int event;
	struct loop_io *io;
};

static void *
run(void *arg)
{
	struct store_helper *c = arg;
	const uint64_t one = 1;

	c->status = c->work(c->engine);
	(void)!write(c->event, &one, sizeof(one)); /* cannot overflow */
	return NULL;
}

static void
finish(struct store_helper *c)
{
	store_sync_fn *fn = c->fn;

	if (fn != NULL) {
		pthread_join(c->thread, NULL);
		loop_io_free(&c->io);
		c->fn = NULL;
		fn(c->arg, c->status);
	}
}

static void
on_event(void *arg, unsigned ready)
{
	(void)ready;
	finish(arg);
}

struct store_helper *
store_helper_new(
    int (*work)(void *engine), void *engine, store_sync_fn *fn, void *arg)
{
	struct store_helper *c = mem_alloc(sizeof(*c));
	sigset_t all;
	sigset_t before;
	int r;

	c->work = work;
	c->engine = engine;
	c->fn = fn;
	c->arg = arg;
	c->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->event < 0) {
		fatal("cannot make an eventfd: error %d", errno);
	}
	c->io = loop_io_new(c->event, LOOP_READ, on_event, c);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		fatal("cannot start a thread: error %d", r);
	}
	return c;
}

bool
store_helper_is_done(const struct store_helper *c)
{
	return c->fn == NULL;
}

void
store_helper_free(struct store_helper **cp)
{
	struct store_helper *c = *cp;

	if (c == NULL) {
		return;
	}
	finish(c);
	close(c->event);
	free(c);
	*cp = NULL;
}
