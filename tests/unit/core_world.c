#include "core_world.h"

#include <string.h>

void
world_init(struct world *w, const struct core_config *conf)
{
	*w = (struct world){ .now_us = WORLD_START_US };
	core_config_init(&w->conf);
	w->conf.jitter_percent = 0;
	if (conf != NULL) {
		w->conf = *conf;
	}
	w->core = core_new(&w->conf, w->now_us);
	assert_non_null(w->core);
	assert_int_equal(core_source_set(w->core, 0, 0, true), 0);
	core_start(w->core);
}

void
world_fini(struct world *w)
{
	core_free(&w->core);
}

uint32_t
world_now_s(const struct world *w)
{
	return (uint32_t)(w->now_us / 1000000);
}

uint32_t
world_domain(struct world *w, const char *name)
{
	uint32_t domain = core_domain(w->core, str_of(name));

	core_site_answer(w->core, domain, CORE_ANSWER_SITE,
	    core_site(w->core, str_of(name), NULL), CORE_NONE, UINT32_MAX);
	return domain;
}

struct core_message
world_message(struct world *w, uint32_t account)
{
	struct core_message m = { .account = account,
		.class = CORE_STANDARD,
		.accept_lsn = ++w->serial,
		.expiry_s = world_now_s(w) + 3 * 86400,
		.size = 4000,
		.place = { .segid = 1, .rec_len = 500, .content_len = 4000 } };

	memcpy(m.id.b, &w->serial, sizeof(w->serial));
	return m;
}

uint32_t
world_send(struct world *w, const struct core_message *m, uint32_t domain,
    uint16_t nrcpt)
{
	struct core_rcpt r[WORLD_RCPTS] = { 0 };
	uint32_t msg = CORE_NONE;

	assert_in_range(nrcpt, 1, WORLD_RCPTS);
	for (uint16_t i = 0; i < nrcpt; i++) {
		r[i] = (struct core_rcpt){ .ordinal = i, .domain = domain };
	}
	assert_int_equal(core_add(w->core, m, r, nrcpt, &msg), 0);
	return msg;
}

uint32_t
world_mail(struct world *w, uint32_t account, uint32_t domain)
{
	struct core_message m = world_message(w, account);

	return world_send(w, &m, domain, 1);
}

void
world_pass(struct world *w, uint64_t us)
{
	w->now_us += us;
	while (core_advance(w->core, w->now_us)) {
	}
}

void
world_pass_s(struct world *w, uint32_t s)
{
	world_pass(w, s * 1000000ULL);
}

void
world_hang_up(struct world *w)
{
	struct core_path_view v;
	uint32_t at = 0;

	while (core_path_next(w->core, &at, &v)) {
		int32_t n = (int32_t)v.conns;
		const struct core_conns closed = {
			.open = -n, .usable = -n, .ready = -n
		};

		core_conns_changed(w->core, v.path, &closed);
	}
}

/* deliver opens and closes as it is told, at once. */
static void
connect(struct world *w)
{
	const struct core_conns opened = { .ready = 1 };
	int32_t n = (int32_t)w->out.conns;
	const struct core_conns closed = {
		.open = -n, .usable = -n, .ready = -n, .asked = n
	};

	if (w->out.kind == CORE_JOB && w->out.job.may_open) {
		core_conns_changed(w->core, w->out.job.path, &opened);
	} else if (w->out.kind == CORE_CLOSE) {
		core_conns_changed(w->core, w->out.path, &closed);
	}
}

bool
world_next(struct world *w)
{
	if (!core_next(w->core, &w->out)) {
		return false;
	}
	if (!w->is_silent) {
		connect(w);
	}
	return true;
}

bool
world_find(struct world *w, enum core_out_kind kind)
{
	while (world_next(w)) {
		if (w->out.kind == kind) {
			return true;
		}
	}
	return false;
}

unsigned
world_count(struct world *w, enum core_out_kind kind)
{
	unsigned n = 0;

	while (world_find(w, kind)) {
		n++;
	}
	return n;
}

void
world_take(const struct world *w, struct world_job *j)
{
	const struct core_job *from = &w->out.job;

	*j = (struct world_job){ .id = from->id,
		.path = from->path,
		.site = from->site,
		.source = from->source,
		.account = w->out.account,
		.msg = w->out.msg,
		.conn_limit = from->conn_limit,
		.is_probe = from->is_probe,
		.may_open = from->may_open,
		.n = from->nrcpt };
	assert_in_range(j->n, 1, WORLD_RCPTS);
	for (uint32_t i = 0; i < j->n; i++) {
		j->ordinal[i] = from->rcpts[i].ordinal;
		j->attempt[i] = from->rcpts[i].attempt;
	}
}

bool
world_job(struct world *w, struct world_job *j)
{
	if (!world_find(w, CORE_JOB)) {
		return false;
	}
	world_take(w, j);
	return true;
}

unsigned
world_jobs(struct world *w, struct world_job *j, unsigned max)
{
	unsigned n = 0;

	while (n < max && world_job(w, &j[n])) {
		n++;
	}
	return n;
}

struct core_verdict
world_result(struct world *w, const struct world_job *j, enum outcome outcome,
    enum core_feedback feedback)
{
	const struct core_result r = { .outcome = outcome,
		.feedback = feedback };
	struct core_verdict v = { 0 };

	for (uint32_t i = 0; i < j->n; i++) {
		assert_int_equal(
		    core_result(w->core, j->id, j->ordinal[i], &r, &v), 0);
	}
	return v;
}

struct core_verdict
world_deliver(struct world *w, const struct world_job *j)
{
	return world_result(w, j, OUTCOME_DELIVERED, CORE_FB_OK);
}

struct core_verdict
world_defer(struct world *w, const struct world_job *j)
{
	return world_result(w, j, OUTCOME_DEFERRED, CORE_FB_OK);
}

void
world_refuse(struct world *w, const struct world_job *j)
{
	const struct core_conns gone = {
		.open = -1, .usable = -1, .ready = -1
	};

	(void)world_result(w, j, OUTCOME_DEFERRED, CORE_FB_CONNECT);
	if (!w->is_silent) {
		core_conns_changed(w->core, j->path, &gone);
	}
}

struct core_path_view
world_path(struct world *w)
{
	struct core_path_view v = { 0 };
	uint32_t at = 0;

	assert_true(core_path_next(w->core, &at, &v));
	return v;
}

enum core_rcpt_state
world_state(struct world *w, uint32_t msg)
{
	struct core_rcpt_view v = { 0 };

	assert_int_not_equal(core_message_rcpts(w->core, msg, &v, 1), 0);
	return v.state;
}
