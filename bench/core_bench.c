/*
 * What the scheduling core takes per message: CPU time to enqueue, to give out
 *and to take the result; memory with a million queued; and new mail's pace
 *while a million others wait for their retry.
 *
 *	core_bench [messages]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../qmgr/core.h"
#include "../qmgr/core_limits.h"
#include "../qmgr/core_name.h"
#include "../qmgr/core_out.h"
#include "../qmgr/core_view.h"

#define START_US 1700000000000000ULL
#define SITES 1000u
#define ACCOUNTS 100u

struct bench {
	struct core *core;
	uint64_t now_us;
	uint64_t serial;
	uint32_t domains[SITES];
	uint64_t *jobs; /* out, to be answered */
	uint16_t *ordinals;
	size_t njobs;
};

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
show(const char *what, double since, size_t n)
{
	printf("%-44s %8.0f ns\n", what,
	    (seconds() - since) * 1e9 / (double)(n > 0 ? n : 1));
}

static void
setup(struct bench *b, size_t n)
{
	struct core_config c;

	core_config_init(&c);
	c.concurrency_limit = 10000;
	c.window_initial = 10;
	*b = (struct bench){ .now_us = START_US };
	b->core = core_new(&c, b->now_us);
	b->jobs = calloc(n, sizeof(*b->jobs));
	b->ordinals = calloc(n, sizeof(*b->ordinals));
	if (b->core == NULL || b->jobs == NULL || b->ordinals == NULL ||
	    core_source_set(b->core, 0, 0, true) != 0) {
		exit(1);
	}
	core_start(b->core);
	for (uint32_t i = 0; i < SITES; i++) {
		char name[32];
		struct str s = { name, 0 };
		uint32_t site;

		s.len = (size_t)snprintf(name, sizeof(name), "d%u.example", i);
		b->domains[i] = core_domain(b->core, s);
		site = core_site(b->core, s, NULL);
		core_site_answer(b->core, b->domains[i], CORE_ANSWER_SITE, site,
		    CORE_NONE, UINT32_MAX);
	}
}

static void
add(struct bench *b, uint32_t due_s)
{
	uint64_t k = b->serial++;
	struct core_rcpt r = { .domain = b->domains[k % SITES],
		.due_s = due_s,
		.attempts = due_s > 0 };
	struct core_message m = { .account = (uint32_t)(k * 7 % ACCOUNTS) + 1,
		.class = CORE_STANDARD,
		.accept_lsn = k + 1,
		.expiry_s = UINT32_MAX,
		.size = 4096,
		.place = {
		    .segid = k / 16384, .rec_len = 600, .content_len = 4096 } };
	uint32_t msg;

	memcpy(m.id.b, &k, sizeof(k));
	if (core_add(b->core, &m, &r, 1, &msg) != 0) {
		exit(1);
	}
}

/* Pulls outputs until there are none or n jobs are out. */
static size_t
pull(struct bench *b, size_t n)
{
	struct core_out out;
	size_t jobs = 0;

	while (jobs < n && core_next(b->core, &out)) {
		if (out.kind == CORE_JOB) {
			const struct core_conns opened = { .ready = 1 };

			if (out.job.may_open) {
				core_conns_changed(
				    b->core, out.job.path, &opened);
			}
			b->jobs[b->njobs] = out.job.id;
			b->ordinals[b->njobs++] = out.job.rcpts[0].ordinal;
			jobs++;
		}
	}
	return jobs;
}

static void
answer(struct bench *b, enum outcome outcome)
{
	const struct core_result r = { .outcome = outcome };
	struct core_verdict v;

	for (size_t i = 0; i < b->njobs; i++) {
		if (core_result(b->core, b->jobs[i], b->ordinals[i], &r, &v) !=
		    0) {
			exit(1);
		}
	}
	b->njobs = 0;
}

static void
pass(struct bench *b, uint64_t us)
{
	b->now_us += us;
	(void)core_advance(b->core, b->now_us);
}

/* n messages from arrival to their end, in batches as they come live. */
static double
flow(struct bench *b, size_t n)
{
	double since = seconds();
	size_t sent = 0;

	for (size_t at = 0; at < n || sent < n;) {
		for (size_t i = 0; i < 100 && at < n; i++, at++) {
			add(b, 0);
		}
		sent += pull(b, SIZE_MAX);
		answer(b, OUTCOME_DELIVERED);
		pass(b, 1000);
	}
	(void)pull(b, 0);
	return seconds() - since;
}

static void
steps(struct bench *b, size_t n)
{
	double since = seconds();
	double pulled = 0, answered = 0;
	size_t sent = 0;

	for (size_t i = 0; i < n; i++) {
		add(b, 0);
	}
	show("enqueue", since, n);
	printf("%-44s %8.1f bytes\n", "memory per queued recipient",
	    (double)core_memory_bytes(b->core) / (double)n);
	while (sent < n) {
		since = seconds();
		sent += pull(b, 10000);
		pulled += seconds() - since;
		since = seconds();
		answer(b, OUTCOME_DELIVERED);
		answered += seconds() - since;
		pass(b, 1000);
	}
	show("dispatch", seconds() - pulled, n);
	show("result", seconds() - answered, n);
}

/* One message of another account behind n of one account for the same site:
 * how many go before it. */
static void
fairness(size_t n)
{
	struct bench b;
	struct core_message m = { .account = 1,
		.class = CORE_STANDARD,
		.expiry_s = UINT32_MAX,
		.size = 4096,
		.place = { .rec_len = 600, .content_len = 4096 } };
	struct core_rcpt r = { 0 };
	struct core_out out;
	uint32_t msg;
	size_t before = 0;

	setup(&b, n + 1);
	r.domain = b.domains[0];
	for (size_t i = 0; i <= n; i++) {
		m.accept_lsn = i + 1;
		memcpy(m.id.b, &m.accept_lsn, sizeof(m.accept_lsn));
		if (i == n) {
			(void)pull(&b, 10000); /* its mail is under way */
			answer(&b, OUTCOME_DELIVERED);
			m.account = 2;
		}
		if (core_add(b.core, &m, &r, 1, &msg) != 0) {
			exit(1);
		}
	}
	while (core_next(b.core, &out) &&
	    (out.kind != CORE_JOB || out.account != 2)) {
		before += out.kind == CORE_JOB;
	}
	printf("%-44s %8zu messages\n",
	    "before another account's single message", before);
	core_free(&b.core);
	free(b.jobs);
	free(b.ordinals);
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	struct bench b;
	double empty, full, since, longest = 0;
	size_t moved = 0;

	setup(&b, n);
	steps(&b, n);
	empty = flow(&b, n);
	printf("%-44s %8.0f ns\n", "whole way, empty queue",
	    empty * 1e9 / (double)n);

	since = seconds();
	for (size_t i = 0; i < n; i++) {
		uint32_t now_s = (uint32_t)(b.now_us / 1000000);

		add(&b, now_s + 60 + (uint32_t)(i % 10000));
	}
	show("enqueue as deferred", since, n);
	full = flow(&b, n);
	printf("%-44s %8.0f ns (%.0f %% of the pace)\n",
	    "whole way, as many deferred", full * 1e9 / (double)n,
	    100 * empty / full);

	since = seconds();
	b.now_us += 3 * 3600 * 1000000ULL;
	while (moved < n) {
		double step = seconds();

		(void)core_advance(b.core, b.now_us);
		step = seconds() - step;
		longest = step > longest ? step : longest;
		moved += pull(&b, SIZE_MAX);
		answer(&b, OUTCOME_DEFERRED);
	}
	show("all due at once, tried and deferred again", since, n);
	printf("%-44s %8.0f us\n", "longest step", longest * 1e6);
	core_free(&b.core);
	free(b.jobs);
	free(b.ordinals);
	fairness(n);
	return 0;
}
