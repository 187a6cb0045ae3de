/*
 * A scheduling core with what tests of it need: names, mail, jobs that are
 * out, and a clock that jumps.
 */
#ifndef TESTS_CORE_WORLD_H
#define TESTS_CORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core.h"
#include "core_limits.h"
#include "core_name.h"
#include "core_out.h"
#include "core_view.h"

#define WORLD_START_US 1700000000000000ULL /* 800 s before an hour turns */
#define WORLD_RCPTS 64

/* A CORE_JOB that is still out. */
struct world_job {
	uint64_t id;
	uint32_t path;
	uint32_t site;
	uint32_t source;
	uint32_t account;
	uint32_t msg;
	uint16_t conn_limit;
	bool is_probe;
	bool may_open;
	uint32_t n;
	uint16_t ordinal[WORLD_RCPTS];
	uint32_t attempt[WORLD_RCPTS];
};

struct world {
	struct core *core;
	uint64_t now_us;
	uint64_t serial; /* of messages */
	struct core_config conf;
	bool is_silent;	     /* deliver says nothing of its connections */
	struct core_out out; /* the latest */
};

/* A started core with one source (0) in the default pool. conf NULL: the
 * defaults, without jitter. */
void world_init(struct world *w, const struct core_config *conf);
void world_fini(struct world *w);

uint32_t world_now_s(const struct world *w);

/* A domain with a site of its own name, known for ever. */
uint32_t world_domain(struct world *w, const char *name);

/* Fills a message of 4000 bytes that lives for three days. */
struct core_message world_message(struct world *w, uint32_t account);
uint32_t world_send(struct world *w, const struct core_message *m,
    uint32_t domain, uint16_t nrcpt);
/* Both, with one recipient. */
uint32_t world_mail(struct world *w, uint32_t account, uint32_t domain);

/* Lets time pass and moves all that becomes due. */
void world_pass(struct world *w, uint64_t us);
void world_pass_s(struct world *w, uint32_t s);

/* The next output, of any kind, in w->out. */
bool world_next(struct world *w);
/* Pulls until an output of this kind; false: none was left. */
bool world_find(struct world *w, enum core_out_kind kind);
/* How many of this kind all outputs hold. */
unsigned world_count(struct world *w, enum core_out_kind kind);
/* The next job; others outputs before it are dropped. */
bool world_job(struct world *w, struct world_job *j);
/* The job in w->out, which is one. */
void world_take(const struct world *w, struct world_job *j);
/* Takes up to max jobs. */
unsigned world_jobs(struct world *w, struct world_job *j, unsigned max);

/* The same result for all recipients of the job; the last verdict. */
struct core_verdict world_result(struct world *w, const struct world_job *j,
    enum outcome outcome, enum core_feedback feedback);
struct core_verdict world_deliver(struct world *w, const struct world_job *j);
struct core_verdict world_defer(struct world *w, const struct world_job *j);
/* The path could not connect. */
void world_refuse(struct world *w, const struct world_job *j);

/* deliver closes all connections. */
void world_hang_up(struct world *w);

/* The first path, as tools see it. */
struct core_path_view world_path(struct world *w);
enum core_rcpt_state world_state(struct world *w, uint32_t msg);

#endif
