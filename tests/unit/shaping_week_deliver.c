/*
 * deliver, as far as the core sees it: connections that take time to open and
 * to close, and jobs that wait for them.
 */
#include "shaping_week.h"

#include <stdlib.h>
#include <string.h>

#define CONNS 64u
#define JOBS 512u
#define IDLE_US (60 * 1000000ULL)
#define QUIT_MS 80u

enum conn_state {
	CONN_NONE,
	CONN_OPENING,
	CONN_IDLE,
	CONN_STARTING, /* with a job */
	CONN_BUSY,
	CONN_CLOSING,
};

struct conn {
	enum conn_state state;
	uint32_t path;
	uint32_t source;
	enum week_site site;
	uint64_t next_us; /* when the state ends */
	uint64_t given_us;
	unsigned messages;
	struct week_job job;
	struct week_reply reply;
};

struct week_deliver {
	struct conn conns[CONNS];
	struct week_job jobs[JOBS]; /* without a connection, in order */
	unsigned njobs;
	unsigned most;
};

struct week_deliver *
week_deliver_new(void)
{
	struct week_deliver *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	return d;
}

unsigned
week_deliver_free(struct week_deliver **d)
{
	unsigned most = (*d)->most;

	free(*d);
	*d = NULL;
	return most;
}

static void
tell(struct week *s, uint32_t path, struct core_conns by)
{
	core_conns_changed(s->w.core, path, &by);
}

static uint64_t
in_ms(const struct week *s, uint32_t ms)
{
	return s->w.now_us + ms * 1000ULL;
}

/* ---- jobs --------------------------------------------------------------- */

static struct week_job
remove_job(struct week_deliver *d, unsigned i)
{
	struct week_job j = d->jobs[i];

	d->njobs--;
	memmove(
	    &d->jobs[i], &d->jobs[i + 1], (d->njobs - i) * sizeof(d->jobs[0]));
	return j;
}

/* The path's first job; false: none. */
static bool
take_job(struct week_deliver *d, uint32_t path, struct week_job *j)
{
	for (unsigned i = 0; i < d->njobs; i++) {
		if (d->jobs[i].j.path == path) {
			*j = remove_job(d, i);
			return true;
		}
	}
	return false;
}

static void
give_back(struct week *s, const struct week_job *j)
{
	(void)world_result(&s->w, &j->j, OUTCOME_RETURNED, CORE_FB_OK);
}

static void
give_back_all(struct week *s, uint32_t path)
{
	struct week_job j;

	while (take_job(s->deliver, path, &j)) {
		give_back(s, &j);
	}
}

void
week_deliver_recall(struct week *s, uint32_t path)
{
	give_back_all(s, path);
}

/* ---- connections -------------------------------------------------------- */

static struct conn *
open_one(struct week *s, const struct week_job *j)
{
	unsigned open = 0;
	struct conn *c = NULL;

	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *x = &s->deliver->conns[i];

		open += x->state != CONN_NONE;
		c = x->state == CONN_NONE && c == NULL ? x : c;
	}
	assert_non_null(c);
	s->deliver->most =
	    open + 1 > s->deliver->most ? open + 1 : s->deliver->most;
	*c = (struct conn){ .state = CONN_OPENING,
		.path = j->j.path,
		.source = j->j.source,
		.site = j->site,
		.given_us = s->w.now_us };
	return c;
}

/* An idle connection takes the path's next job. */
static void
serve(struct week *s, struct conn *c)
{
	c->state = CONN_IDLE;
	c->next_us = s->w.now_us + IDLE_US;
	if (take_job(s->deliver, c->path, &c->job)) {
		c->state = CONN_STARTING;
		c->next_us = s->w.now_us + week_random(s, WEEK_BEGIN_US);
	}
}

static void
serve_path(struct week *s, uint32_t path)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &s->deliver->conns[i];

		if (c->state == CONN_IDLE && c->path == path) {
			serve(s, c);
		}
	}
}

static void
begin_close(struct week *s, struct conn *c, int32_t asked)
{
	c->state = CONN_CLOSING;
	c->next_us = in_ms(s, QUIT_MS);
	tell(s, c->path,
	    (struct core_conns){ .usable = -1, .ready = -1, .asked = asked });
}

static bool
has_conn(const struct week_deliver *d, uint32_t path)
{
	for (unsigned i = 0; i < CONNS; i++) {
		enum conn_state state = d->conns[i].state;

		if (d->conns[i].path == path && state != CONN_NONE &&
		    state != CONN_CLOSING) {
			return true;
		}
	}
	return false;
}

/* It did not open: a job is told, and others without a connection return. */
static void
fail_open(struct week *s, struct conn *c, const struct week_reply *reply)
{
	struct week_job j;
	uint32_t path = c->path;

	c->state = CONN_NONE;
	tell(s, path, (struct core_conns){ .open = -1, .usable = -1 });
	if (take_job(s->deliver, path, &j)) {
		week_result(s, &j, reply);
	}
	if (!has_conn(s->deliver, path)) {
		give_back_all(s, path);
	}
}

static void
finish_open(struct week *s, struct conn *c)
{
	struct week_reply reply = { 0 };

	if (!week_servers_connect(s, c->site, c->source, c->given_us, &reply)) {
		fail_open(s, c, &reply);
		return;
	}
	tell(s, c->path, (struct core_conns){ .ready = 1 });
	serve(s, c);
}

static void
start(struct week *s, struct conn *c)
{
	const struct week_job *j = &c->job;

	if (j->start_ms != 0 &&
	    s->w.now_us > j->given_us + j->start_ms * 1000ULL) {
		give_back(s, j);
		serve(s, c);
		return;
	}
	c->messages++;
	week_servers_mail(s, j, c->source, c->messages, &c->reply);
	c->state = CONN_BUSY;
	c->next_us = in_ms(s, c->reply.takes_ms);
}

static void
finish(struct week *s, struct conn *c)
{
	bool is_last = c->reply.code == 421 ||
	    (c->job.conn_messages != 0 && c->messages >= c->job.conn_messages);

	week_result(s, &c->job, &c->reply);
	if (!is_last) {
		serve(s, c);
		return;
	}
	begin_close(s, c, 0);
	if (!has_conn(s->deliver, c->path)) {
		give_back_all(s, c->path);
	}
}

static void
run_one(struct week *s, struct conn *c)
{
	switch (c->state) {
	case CONN_OPENING:
		finish_open(s, c);
		break;
	case CONN_IDLE:
		begin_close(s, c, 0);
		break;
	case CONN_STARTING:
		start(s, c);
		break;
	case CONN_BUSY:
		finish(s, c);
		break;
	case CONN_CLOSING:
		c->state = CONN_NONE;
		week_watch_disconnect(s, c->site, c->source);
		tell(s, c->path, (struct core_conns){ .open = -1 });
		break;
	case CONN_NONE:
		break;
	}
}

void
week_deliver_run(struct week *s)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &s->deliver->conns[i];

		if (c->state != CONN_NONE && c->next_us <= s->w.now_us) {
			run_one(s, c);
		}
	}
}

uint64_t
week_deliver_wake_us(const struct week *s)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < CONNS; i++) {
		const struct conn *c = &s->deliver->conns[i];

		if (c->state != CONN_NONE && c->next_us < next) {
			next = c->next_us;
		}
	}
	return next;
}

/* ---- outputs ------------------------------------------------------------ */

static void
add_job(struct week *s)
{
	struct week_deliver *d = s->deliver;
	const struct core_job *from = &s->w.out.job;
	struct week_job *j = &d->jobs[d->njobs];

	assert_in_range(d->njobs, 0, JOBS - 1);
	world_take(&s->w, &j->j);
	j->lsn = (uint32_t)s->w.out.accept_lsn;
	j->site = s->mail[j->lsn].site;
	j->given_us = s->w.now_us;
	j->open_ms = from->open_ms;
	j->start_ms = from->start_ms;
	j->conn_messages = from->conn_messages;
	d->njobs++;
	if (from->may_open) {
		struct conn *c = open_one(s, j);
		uint32_t ms = week_servers_latency_ms(s, j->site);

		c->next_us = in_ms(
		    s, j->open_ms != 0 && ms > j->open_ms ? j->open_ms : ms);
	}
	serve_path(s, from->path);
}

static void
close_idle(struct week *s)
{
	uint32_t path = s->w.out.path;
	int32_t left = (int32_t)s->w.out.conns;

	for (unsigned i = 0; i < CONNS && left > 0; i++) {
		struct conn *c = &s->deliver->conns[i];

		if (c->state == CONN_IDLE && c->path == path) {
			begin_close(s, c, 1);
			left--;
		}
	}
	if (left > 0) {
		tell(s, path, (struct core_conns){ .asked = left });
	}
}

void
week_deliver_output(struct week *s)
{
	switch (s->w.out.kind) {
	case CORE_JOB:
		add_job(s);
		break;
	case CORE_CANCEL:
		give_back_all(s, s->w.out.path);
		break;
	case CORE_CLOSE:
		close_idle(s);
		break;
	default:
		fail_msg("not for deliver: %d", (int)s->w.out.kind);
	}
}
