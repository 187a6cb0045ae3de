/*
 * Threads for work that takes longer than a turn of the loop may: private
 * key operations, key files. Jobs begin in the order they came.
 */
#ifndef SIGND_POOL_H
#define SIGND_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"

struct pool;

/* One piece of work, embedded in what it works on. */
struct pool_job {
	struct pool_job *next;
	/* In a thread: touches only its own job, and must not log. */
	void (*work)(struct pool_job *job);
	/* Back in the loop, exactly once. */
	void (*done)(struct pool_job *job);
	bool is_cancelled; /* in done: the pool ended before work began */
};

/*
 * Starts the threads; 0 takes one for every processor. has_short_jobs: under
 * load several are finished before the loop hears of them, for up to a
 * millisecond and the time of a job. Never NULL.
 */
struct pool *pool_new(unsigned threads, bool has_short_jobs);

/* Waits for running work, cancels the rest; calls done for all. */
void pool_free(struct pool **pp);

/* Queues a job, whose work and done are set. It must live until done. */
void pool_run(struct pool *p, struct pool_job *job);

/* Jobs whose done was not called yet. */
size_t pool_busy(const struct pool *p);

#endif
