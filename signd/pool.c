#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>

#include "buf.h"
#include "log.h"
#include "loop.h"

/*
 * A pool of short jobs tells of each at once only while no other waits. Under
 * load the loop hears of several together: waking it, and by its answers those
 * who asked, for each job costs a tenth of a signature. A finished job waits
 * for that no longer than this and the end of the next one.
 */
#define TELL_AFTER_NS (1000 * 1000)

struct queue {
	struct pool_job *head;
	struct pool_job **tail;
};

struct pool {
	pthread_mutex_t lock; /* guards waiting, finished, is_ending */
	pthread_cond_t wake;
	struct queue waiting;
	struct queue finished;
	bool is_sharing;      /* several finished jobs are told at once */
	uint64_t finished_ns; /* when the first of them was */
	bool is_told;	      /* the loop was woken for them */
	bool is_ending;
	int event; /* counts finished batches for the loop */
	struct loop_io *io;
	size_t busy; /* of the loop's thread alone */
	unsigned n_threads;
	pthread_t threads[];
};

static void
queue_add(struct queue *q, struct pool_job *job)
{
	job->next = NULL;
	*q->tail = job;
	q->tail = &job->next;
}

static struct pool_job *
queue_take_all(struct queue *q)
{
	struct pool_job *jobs = q->head;

	q->head = NULL;
	q->tail = &q->head;
	return jobs;
}

/* Called with the lock held; NULL when the pool ends. */
static struct pool_job *
wait_for_job(struct pool *p)
{
	struct pool_job *job;

	while (p->waiting.head == NULL && !p->is_ending) {
		pthread_cond_wait(&p->wake, &p->lock);
	}
	job = p->waiting.head;
	if (job == NULL || p->is_ending) {
		return NULL;
	}
	p->waiting.head = job->next;
	if (p->waiting.head == NULL) {
		p->waiting.tail = &p->waiting.head;
	}
	return job;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Called with the lock held. */
static void
tell_finished(struct pool *p, struct pool_job *job)
{
	const uint64_t one = 1;
	uint64_t now = now_ns();

	if (p->finished.head == NULL) {
		p->finished_ns = now;
	}
	queue_add(&p->finished, job);
	if (!p->is_told &&
	    (!p->is_sharing || p->waiting.head == NULL ||
		now - p->finished_ns >= TELL_AFTER_NS)) {
		p->is_told = true;
		/* The counter cannot overflow: the loop clears it. */
		(void)!write(p->event, &one, sizeof(one));
	}
}

static void *
worker(void *arg)
{
	struct pool *p = arg;
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while ((job = wait_for_job(p)) != NULL) {
		pthread_mutex_unlock(&p->lock);
		job->work(job);
		pthread_mutex_lock(&p->lock);
		tell_finished(p, job);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void
finish(struct pool *p, struct pool_job *jobs)
{
	while (jobs != NULL) {
		struct pool_job *next = jobs->next;

		p->busy--;
		jobs->done(jobs);
		jobs = next;
	}
}

static void
on_finished(void *arg, unsigned ready)
{
	struct pool *p = arg;
	struct pool_job *jobs;
	uint64_t n;

	(void)ready;
	(void)!read(p->event, &n, sizeof(n)); /* only clears the counter */
	pthread_mutex_lock(&p->lock);
	jobs = queue_take_all(&p->finished);
	p->is_told = false;
	pthread_mutex_unlock(&p->lock);
	finish(p, jobs);
}

/* Those this process may run on; confined, it cannot read /sys. */
static unsigned
processors(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) < 0) {
		return 1;
	}
	return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

struct pool *
pool_new(unsigned threads, bool has_short_jobs)
{
	unsigned n = threads != 0 ? threads : processors();
	struct pool *p = mem_alloc(sizeof(*p) + n * sizeof(p->threads[0]));
	sigset_t all;
	sigset_t before;

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	p->is_sharing = has_short_jobs;
	p->waiting.tail = &p->waiting.head;
	p->finished.tail = &p->finished.head;
	p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->event < 0) {
		fatal("cannot make an eventfd: error %d", errno);
	}
	p->io = loop_io_new(p->event, LOOP_READ, on_finished, p);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (p->n_threads = 0; p->n_threads < n; p->n_threads++) {
		int r =
		    pthread_create(&p->threads[p->n_threads], NULL, worker, p);

		if (r != 0) {
			fatal("cannot start a thread: error %d", r);
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return p;
}

void
pool_free(struct pool **pp)
{
	struct pool *p = *pp;

	if (p == NULL) {
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->is_ending = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++) {
		pthread_join(p->threads[i], NULL);
	}
	for (struct pool_job *j = p->waiting.head; j != NULL; j = j->next) {
		j->is_cancelled = true;
	}
	finish(p, queue_take_all(&p->finished));
	finish(p, queue_take_all(&p->waiting));
	loop_io_free(&p->io);
	close(p->event);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	free(p);
	*pp = NULL;
}

void
pool_run(struct pool *p, struct pool_job *job)
{
	job->is_cancelled = false;
	p->busy++;
	pthread_mutex_lock(&p->lock);
	queue_add(&p->waiting, job);
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

size_t
pool_busy(const struct pool *p)
{
	return p->busy;
}
