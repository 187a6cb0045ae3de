/*
 * The event loop: one per process, a thin layer over libevent. Tests link
 * tests/fake_loop.c instead, whose clock jumps to the next timer when no
 * descriptor is ready.
 *
 * A callback gets its own argument and returns; work that could re-enter an
 * object goes through loop_defer. After loop_*_del nothing calls back.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

#define LOOP_READ 1u
#define LOOP_WRITE 2u

struct loop_io;
struct loop_timer;
struct loop_signal;

typedef void loop_io_fn(void *arg, unsigned ready); /* LOOP_READ|LOOP_WRITE */
typedef void loop_fn(void *arg);

/* Once per process, before anything else here. */
void loop_init(void);
void loop_fini(void);

/* Runs until loop_stop. */
void loop_run(void);
void loop_stop(void);

/* Watches fd (not owned) for what want says; want 0 pauses. Never NULL. */
struct loop_io *loop_io_new(int fd, unsigned want, loop_io_fn *fn, void *arg);
void loop_io_want(struct loop_io *io, unsigned want);
void loop_io_free(struct loop_io **io); /* sets *io to NULL; NULL allowed */

/* One-shot timer, not armed at first. Never NULL. */
struct loop_timer *loop_timer_new(loop_fn *fn, void *arg);
void loop_timer_arm(struct loop_timer *t, uint64_t in_us); /* or re-arm */
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_is_armed(const struct loop_timer *t);
void loop_timer_free(struct loop_timer **t);

struct loop_signal *loop_signal_new(int signo, loop_fn *fn, void *arg);
void loop_signal_free(struct loop_signal **s);

/*
 * Calls fn(arg) once, after the callbacks of this turn of the loop and before
 * the loop waits again. The caller owns d, zeroed; scheduling it twice runs
 * it once.
 */
struct loop_defer {
	struct loop_defer *next;
	loop_fn *fn;
	void *arg;
	bool is_pending;
};
void loop_defer(struct loop_defer *d, loop_fn *fn, void *arg);
void loop_defer_cancel(struct loop_defer *d);

/*
 * The same, but after all loop_defer work: what sends the turn's output
 * (channels, log) in one piece.
 */
void loop_defer_late(struct loop_defer *d, loop_fn *fn, void *arg);

/* The libevent base under the loop, for libraries that want it. */
struct event_base *loop_base(void);

#endif
