#include "store_sync.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "log.h"
#include "loop.h"

struct waiter {
	struct waiter *next;
	uint64_t seq;
	store_sync_fn *fn; /* NULL: forgotten */
	void *arg;
};

struct store_syncer {
	const struct store_sync_ops *ops;
	void *engine;
	pthread_t thread;
	pthread_mutex_t lock; /* guards the next five */
	pthread_cond_t wake;
	uint64_t asked;	 /* requests so far */
	uint64_t synced; /* of these, done */
	int status;	 /* first failure; the store is broken then */
	bool wants_checkpoint;
	bool is_ending;
	/* The loop's own. */
	int event;
	struct loop_io *io;
	struct loop_timer *timer;
	uint64_t checkpoint_us;
	bool is_reported;
	struct waiter *first;
	struct waiter **last;
};

/* One round of work; called with the lock held, returns with it held. */
static void
work(struct store_syncer *s)
{
	uint64_t target = s->asked;
	bool checkpoint = s->wants_checkpoint;
	bool flush = target != s->synced;
	int r = s->status;

	s->wants_checkpoint = false;
	pthread_mutex_unlock(&s->lock);
	/* A failed sync is never tried again: what it lost is unknown. */
	if (flush && r == 0) {
		r = s->ops->flush(s->engine);
	}
	if (checkpoint && r == 0) {
		r = s->ops->checkpoint(s->engine);
	}
	pthread_mutex_lock(&s->lock);
	s->synced = target;
	s->status = r;
}

static void *
run(void *arg)
{
	struct store_syncer *s = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (s->asked == s->synced && !s->wants_checkpoint &&
		    !s->is_ending) {
			pthread_cond_wait(&s->wake, &s->lock);
		}
		if (s->asked == s->synced && !s->wants_checkpoint) {
			break;
		}
		work(s);
		/* The counter cannot overflow: the loop clears it. */
		(void)!write(s->event, &one, sizeof(one));
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void
call_back(struct store_syncer *s, uint64_t synced, int status)
{
	while (s->first != NULL && s->first->seq <= synced) {
		struct waiter *w = s->first;

		s->first = w->next;
		if (s->first == NULL) {
			s->last = &s->first;
		}
		if (w->fn != NULL) {
			w->fn(w->arg, status);
		}
		free(w);
	}
}

static void
on_event(void *arg, unsigned ready)
{
	struct store_syncer *s = arg;
	uint64_t synced;
	uint64_t n;
	int status;

	(void)ready;
	(void)!read(s->event, &n, sizeof(n)); /* only clears the counter */
	pthread_mutex_lock(&s->lock);
	synced = s->synced;
	status = s->status;
	pthread_mutex_unlock(&s->lock);
	if (status < 0 && !s->is_reported) {
		s->is_reported = true;
		log_error(
		    "the database cannot be synced: %s", strerror(-status));
	}
	call_back(s, synced, status);
}

void
store_syncer_checkpoint(struct store_syncer *s)
{
	pthread_mutex_lock(&s->lock);
	s->wants_checkpoint = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

static void
on_timer(void *arg)
{
	struct store_syncer *s = arg;

	store_syncer_checkpoint(s);
	loop_timer_arm(s->timer, s->checkpoint_us);
}

struct store_syncer *
store_syncer_new(
    const struct store_sync_ops *ops, void *engine, uint64_t checkpoint_us)
{
	struct store_syncer *s = mem_alloc(sizeof(*s));
	sigset_t all;
	sigset_t before;
	int r;

	s->ops = ops;
	s->engine = engine;
	s->last = &s->first;
	s->checkpoint_us = checkpoint_us;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event < 0) {
		fatal("cannot make an eventfd: error %d", errno);
	}
	s->io = loop_io_new(s->event, LOOP_READ, on_event, s);
	s->timer = loop_timer_new(on_timer, s);
	if (checkpoint_us != 0) {
		loop_timer_arm(s->timer, checkpoint_us);
	}
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		fatal("cannot start a thread: error %d", r);
	}
	return s;
}

void
store_syncer_free(struct store_syncer **sp)
{
	struct store_syncer *s = *sp;

	if (s == NULL) {
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->is_ending = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	call_back(s, s->synced, s->status);
	loop_io_free(&s->io);
	loop_timer_free(&s->timer);
	close(s->event);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	free(s);
	*sp = NULL;
}

void
store_syncer_ask(struct store_syncer *s, store_sync_fn *fn, void *arg)
{
	struct waiter *w = mem_alloc(sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	pthread_mutex_lock(&s->lock);
	w->seq = ++s->asked;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	*s->last = w;
	s->last = &w->next;
}

void
store_syncer_forget(struct store_syncer *s, void *arg)
{
	for (struct waiter *w = s->first; w != NULL; w = w->next) {
		if (w->arg == arg) {
			w->fn = NULL;
		}
	}
}
