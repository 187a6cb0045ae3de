/*
 * Random events against the reference model of core_model.h. CORE_EVENTS and
 * CORE_SEED in the environment repeat a run or make it longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_model.h"

#define EVENTS 1000000ULL
#define RUNS 10 /* each with a seed of its own */

static uint64_t random_state;

static uint32_t
rnd(uint32_t n)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)((z ^ z >> 31) % n);
}

static bool
chance(uint32_t percent)
{
	return rnd(100) < percent;
}

/* ---- mail
 * -------------------------------------------------------------------- */

static struct m_message *
free_message(struct model *m)
{
	for (unsigned i = 1; i < M_MESSAGES; i++) {
		if (!m->messages[i].is_used) {
			return &m->messages[i];
		}
	}
	return NULL;
}

static struct m_message *
any_message(struct model *m)
{
	struct m_message *msg = &m->messages[1 + rnd(M_MESSAGES - 1)];

	return msg->is_used ? msg : NULL;
}

static struct core_message
random_message(struct model *m)
{
	static const uint32_t lives_s[] = { 30, 900, 7200, 86400, 86400,
		3 * 86400, 3 * 86400, 30 * 86400 };
	struct core_message c = { .account = 1 + rnd(M_ACCOUNTS - 1),
		.subaccount = rnd(M_SUBS),
		.pool = rnd(M_POOLS),
		.class = (enum core_class)rnd(3),
		.flags = chance(20) ? CORE_SINGLE : 0,
		.accept_lsn = ++m->serial,
		.expiry_s = m_now_s(m) + lives_s[rnd(8)],
		.size = chance(10) ? rnd(30000000) : rnd(30000),
		.place = { .segid = rnd(M_SEGMENTS),
		    .rec_off = rnd(1000),
		    .rec_len = 1 + rnd(1000),
		    .content_off = rnd(1000),
		    .content_len = rnd(100000),
		    .content_crc = rnd(UINT32_MAX) } };

	memcpy(c.id.b, &m->serial, sizeof(m->serial));
	c.id.b[15] = (uint8_t)rnd(256);
	return c;
}

static void
do_add(struct model *m)
{
	struct m_message *msg = free_message(m);
	struct core_rcpt r[M_RCPTS];
	uint32_t n = 1 + rnd(chance(70) ? 1 : M_RCPTS);
	bool is_late = chance(20); /* its record's place is known later */
	struct core_message c;

	if (msg == NULL) {
		return;
	}
	*msg = (struct m_message){ .is_used = true, .m = random_message(m) };
	for (uint16_t i = 0; i < n; i++) {
		uint32_t d = rnd(M_DOMAINS);
		bool is_held = chance(2);
		uint32_t due = chance(6) ? m_now_s(m) + rnd(20 * 86400) : 0;

		r[i] = (struct core_rcpt){ .ordinal = i,
			.attempts = (uint16_t)(chance(10) ? 1 + rnd(5) : 0),
			.domain = m->domains[d].number,
			.due_s = due,
			.is_held = is_held };
		msg->rcpts[i] =
		    (struct m_rcpt){ .state = is_held ? M_HELD : M_WAIT,
			    .domain = d,
			    .attempts = r[i].attempts,
			    .due_s = due };
	}
	c = msg->m;
	c.accept_lsn = is_late ? 0 : c.accept_lsn;
	M_CHECK(m, core_add(m->core, &c, r, n, &msg->handle) == 0);
	if (is_late) {
		core_set_lsn(m->core, msg->handle, msg->m.accept_lsn);
	}
}

static void
do_move(struct model *m)
{
	struct m_message *msg = any_message(m);

	if (msg != NULL) {
		msg->m.place.segid = rnd(M_SEGMENTS);
		msg->m.place.content_len = rnd(5000);
		M_CHECK(m, core_move(m->core, msg->handle, &msg->m.place) == 0);
	}
}

static void
do_pin(struct model *m)
{
	struct m_message *msg = any_message(m);

	if (msg != NULL) {
		msg->is_pinned = !msg->is_pinned;
		core_pin(m->core, msg->handle, msg->is_pinned);
	}
}

/* ---- results
 * -------------------------------------------------------------------- */

static struct core_result
random_result(void)
{
	static const enum outcome outcomes[] = { OUTCOME_DELIVERED,
		OUTCOME_DELIVERED, OUTCOME_DELIVERED, OUTCOME_DEFERRED,
		OUTCOME_DEFERRED, OUTCOME_FAILED, OUTCOME_RETURNED,
		OUTCOME_DAMAGED, OUTCOME_UNCERTAIN };
	struct core_result r = { .outcome = outcomes[rnd(9)],
		.delay_s = chance(10) ? rnd(4000) : 0 };

	if (r.outcome == OUTCOME_DEFERRED && chance(60)) {
		r.feedback = chance(70) ? CORE_FB_CONNECT : CORE_FB_THROTTLE;
	}
	return r;
}

static struct m_job *
any_job(struct model *m)
{
	unsigned from = rnd(M_JOBS);

	for (unsigned i = 0; i < M_JOBS; i++) {
		struct m_job *j = &m->jobs[(from + i) % M_JOBS];

		if (j->id != 0) {
			return j;
		}
	}
	return NULL;
}

static void
do_result(struct model *m)
{
	struct m_job *j = any_job(m);
	const struct core_result r = random_result();
	struct core_verdict v;
	struct m_message *msg;
	uint64_t id;

	if (j == NULL) {
		return;
	}
	id = j->id;
	msg = &m->messages[j->message];
	for (uint16_t i = 0; i < M_RCPTS && j->id == id; i++) {
		if (msg->rcpts[i].state == M_FLIGHT &&
		    msg->rcpts[i].job == id && chance(70)) {
			M_CHECK(m, core_result(m->core, id, i, &r, &v) == 0);
			model_result(m, j, msg, i, &r, &v);
			M_CHECK(m, core_result(m->core, id, i, &r, &v) != 0);
		}
	}
}

/* deliver opens, ends or closes a connection, or does what it was asked. */
static void
do_conns(struct model *m)
{
	struct m_path *p = &m->paths[rnd(M_SITES)][rnd(M_SOURCES)];
	struct core_conns by = { 0 };

	if (p->conns == 0) {
		return;
	}
	if (p->usable > p->ready && chance(60)) {
		by.ready = 1;
	} else if (p->conns > p->usable && chance(50)) {
		by.open = -1; /* the server has closed it */
	} else if (p->closing > 0) {
		by.asked = 1;
		by.ready = p->ready > 0 && chance(80) ? -1 : 0;
		by.usable = by.ready;
		by.open = chance(50) ? by.ready : 0;
	} else if (p->usable > 0 && chance(30)) {
		by.ready = p->ready == p->usable ? -1 : 0;
		by.usable = -1;
		by.open = chance(50) ? -1 : 0;
	}
	core_conns_changed(m->core, p->number, &by);
	p->conns += (uint32_t)by.open;
	p->usable += (uint32_t)by.usable;
	p->ready += (uint32_t)by.ready;
	p->closing -= (uint32_t)by.asked;
}

static void
do_return(struct model *m)
{
	const struct core_result r = { .outcome = OUTCOME_RETURNED };
	struct m_job *j = any_job(m);
	struct m_message *msg;
	int64_t turn = --m->front; /* of all: they keep their order */
	uint64_t id;

	if (j == NULL) {
		return;
	}
	id = j->id;
	msg = &m->messages[j->message];
	M_CHECK(m, core_job_return(m->core, id) == 0);
	for (uint16_t i = 0; i < M_RCPTS; i++) {
		struct m_rcpt *rcpt = &msg->rcpts[i];
		struct core_verdict v = { .fate = CORE_FATE_AGAIN };

		if (rcpt->state != M_FLIGHT || rcpt->job != id) {
			continue;
		}
		v.attempts = (uint16_t)rcpt->attempts;
		v.fate = rcpt->to_delete ? CORE_FATE_DELETED
		    : rcpt->to_hold	 ? CORE_FATE_HELD
					 : CORE_FATE_AGAIN;
		model_result(m, j, msg, i, &r, &v);
		rcpt->turn = turn;
	}
	m->front = turn;
}

static void
do_late(struct model *m)
{
	struct m_message *msg = any_message(m);
	const struct core_result r = random_result();
	uint16_t i = (uint16_t)rnd(M_RCPTS);
	struct core_verdict v;
	int e;

	if (msg == NULL || r.outcome == OUTCOME_RETURNED) {
		return;
	}
	e = core_result_late(m->core, msg->handle, i, &r, &v);
	M_CHECK(m,
	    (e == 0) ==
		(msg->rcpts[i].state != M_NONE &&
		    msg->rcpts[i].state != M_FLIGHT));
	if (e == 0) {
		model_late(m, msg, i, &r, &v);
	}
}

/* ---- names, limits, tenants ---------------------------------------------- */

static void
do_answer(struct model *m)
{
	struct m_domain *d = &m->domains[rnd(M_DOMAINS)];
	int site = (int)rnd(M_SITES);
	int provider = (int)rnd(M_PROVIDERS + 1) - 1;
	enum core_answer a = chance(80) ? CORE_ANSWER_SITE
	    : chance(50)		? CORE_ANSWER_LATER
					: CORE_ANSWER_NEVER;
	uint32_t ttl_s = 1 + rnd(chance(50) ? 100 : 100000);

	if (!d->is_asking && chance(95)) {
		return;
	}
	core_site_answer(m->core, d->number, a, m->site_number[site],
	    provider < 0 ? CORE_NONE : m->provider_number[provider], ttl_s);
	model_answer(m, d, a, site, provider, ttl_s);
}

static void
do_ask(struct model *m)
{
	struct m_domain *d = &m->domains[rnd(M_DOMAINS)];

	core_resolve_again(m->core, d->number);
	d->until_us = m->now_us;
	d->fails = 0;
	if (d->state != CORE_DOMAIN_KNOWN) {
		d->state = CORE_DOMAIN_UNKNOWN;
	}
}

static struct m_gate *
any_gate(struct model *m, struct core_object *o)
{
	uint32_t i;

	*o = (struct core_object){ .level = (enum core_level)rnd(CORE_LEVELS) };
	switch (o->level) {
	case CORE_LEVEL_SITE:
		i = rnd(M_SITES);
		o->index = m->site_number[i];
		o->sub = chance(50) ? 0 : CORE_FROM(rnd(M_SOURCES));
		return o->sub == 0 ? &m->sites[i]
				   : &m->sites_from[i][o->sub - 1];
	case CORE_LEVEL_PROVIDER:
		i = rnd(M_PROVIDERS);
		o->index = m->provider_number[i];
		o->sub = chance(50) ? 0 : CORE_FROM(rnd(M_SOURCES));
		return o->sub == 0 ? &m->providers[i]
				   : &m->providers_from[i][o->sub - 1];
	case CORE_LEVEL_SOURCE:
		o->index = rnd(M_SOURCES);
		return &m->sources[o->index];
	case CORE_LEVEL_ACCOUNT:
		o->index = 1 + rnd(M_ACCOUNTS - 1);
		return &m->tenants[o->index][0].gate;
	default:
		o->index = 1 + rnd(M_ACCOUNTS - 1);
		o->sub = 1 + rnd(M_SUBS - 1);
		return &m->tenants[o->index][o->sub].gate;
	}
}

static void
do_limits(struct model *m)
{
	struct core_object o;
	struct m_gate *g = any_gate(m, &o);
	struct core_limits l = { 0 };

	if (chance(40)) {
		l.max_conn = rnd(4);
		l.rate_conns = rnd(5);
		l.rate_conn_s = rnd(60);
		l.conn_burst = rnd(4);
		l.rate_msgs = rnd(5);
		l.rate_s = rnd(60);
		l.burst = rnd(4);
		l.rate_rcpts = rnd(6);
		l.rate_rcpt_s = rnd(60);
		l.rcpt_burst = rnd(4);
		l.is_paused = chance(10);
	}
	if (chance(50)) {
		M_CHECK(m, core_limits_set(m->core, &o, &l) == 0);
		g->base = l;
	} else {
		g->over = l;
		g->over_until_us = m->now_us + rnd(600) * 1000000ULL;
		M_CHECK(m,
		    core_limits_override(m->core, &o, &l, g->over_until_us) ==
			0);
	}
}

/* A weight changes when the queues at a site are empty; the model knows only
 * the present one. */
static bool
is_idle(const struct model *m, uint32_t account)
{
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		const struct m_message *msg = &m->messages[i];

		if (msg->is_used && msg->m.account == account) {
			return false;
		}
	}
	return true;
}

static void
do_tenant(struct model *m)
{
	struct core_tenant t = { .account = 1 + rnd(M_ACCOUNTS - 1),
		.subaccount = rnd(M_SUBS),
		.hourly_quota = chance(70) ? 0 : 1 + rnd(30),
		.max_conn = chance(60) ? 0 : 1 + rnd(4),
		.queue_limit = chance(40) ? 0 : 1 + rnd(30),
		.is_paused = chance(5) };
	struct m_tenant *mt = &m->tenants[t.account][t.subaccount];

	t.weight = is_idle(m, t.account) ? 1 + rnd(400) : mt->weight;
	core_tenant_set(m->core, &t);
	mt->weight = t.weight;
	mt->quota = t.hourly_quota;
	mt->queue_limit = t.queue_limit;
	mt->gate.base.max_conn = t.max_conn;
	mt->gate.base.is_paused = t.is_paused;
}

static void
do_source(struct model *m)
{
	uint32_t s = rnd(M_SOURCES);

	m->sources[s].is_out = !m->sources[s].is_out && chance(50);
	M_CHECK(m,
	    core_source_set(m->core, s, (uint32_t)m_pool_of[s],
		!m->sources[s].is_out) == 0);
}

static void
do_suspend(struct model *m)
{
	struct m_path *p = &m->paths[rnd(M_SITES)][rnd(M_SOURCES)];
	uint64_t until_us = chance(70) ? m->now_us + rnd(1000) * 1000000ULL : 0;

	if (!p->is_seen) {
		return;
	}
	M_CHECK(m, core_path_suspend(m->core, p->number, until_us) == 0);
	if (until_us > m->now_us) {
		p->was_dead = p->state == M_DEAD || p->state == M_PROBING ||
		    (p->state == M_SUSPENDED && p->was_dead);
		p->state = M_SUSPENDED;
		p->until_us = until_us;
	} else if (p->state == M_SUSPENDED) {
		p->state = p->was_dead ? M_PROBING : M_OPEN;
	} else {
		m_probe(p);
	}
}

/* ---- commands
 * -------------------------------------------------------------------- */

/* Retry-now has dead paths probed where mail is ready. */
static void
probe_selected(struct model *m)
{
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		const struct m_message *msg = &m->messages[i];

		for (uint16_t k = 0; k < M_RCPTS; k++) {
			const struct m_rcpt *r = &msg->rcpts[k];

			if (!m_selected(m, msg, k) || r->state != M_READY ||
			    m_is_expired(m, msg)) {
				continue;
			}
			for (int s = 0; s < M_SOURCES; s++) {
				if (m_pool_of[s] == (int)msg->m.pool) {
					m_probe(&m->paths[r->site][s]);
				}
			}
		}
	}
}

static void
do_command(struct model *m)
{
	struct m_message *msg = any_message(m);
	struct core_selector *s = &m->sel;

	core_selector_init(s);
	s->by_account = true; /* not the anchors */
	s->account = 1 + rnd(M_ACCOUNTS - 1);
	if (chance(30)) {
		s->by_subaccount = true;
		s->subaccount = rnd(M_SUBS);
	}
	if (chance(30)) {
		s->domain = m->domains[rnd(M_DOMAINS)].number;
	} else if (chance(30)) {
		s->site = m->site_number[rnd(M_SITES)];
	} else if (msg != NULL && chance(30)) {
		s->msg = msg->handle;
	}
	m->cmd = (enum core_command)rnd(4);
	m->changed = 0;
	m->unsure = 0;
	m->is_retrying = m->cmd == CORE_CMD_RETRY;
	m->command = core_admin(m->core, m->cmd, s);
	M_CHECK(m, m->command != 0);
	if (m->cmd == CORE_CMD_RETRY) {
		probe_selected(m);
	}
}

/* ---- restart
 * -------------------------------------------------------------------- */

static void
restore_message(struct model *m, struct core *old, struct m_message *msg)
{
	struct core_rcpt_view v[M_RCPTS];
	struct core_rcpt r[M_RCPTS];
	struct core_message c;
	uint32_t n;

	M_CHECK(m, core_message_get(old, msg->handle, &c, &n) == 0);
	M_CHECK(m, core_message_rcpts(old, msg->handle, v, M_RCPTS) == n);
	for (uint32_t i = 0; i < n; i++) {
		struct m_rcpt *mr = &msg->rcpts[v[i].r.ordinal];

		r[i] = v[i].r;
		r[i].domain = m->domains[mr->domain].number;
		if (mr->state != M_HELD && mr->state != M_WAIT) {
			mr->state = mr->to_hold ? M_HELD : M_WAIT;
			mr->due_s = 0;
		}
		mr->to_hold = false;
		mr->to_delete = false;
	}
	/* As a checkpoint's message, or as one of the journal. */
	M_CHECK(m,
	    (chance(50) ? core_restore(m->core, &c, r, n, &msg->handle)
			: core_add(m->core, &c, r, n, &msg->handle)) == 0);
	M_CHECK(m, core_find(m->core, &c.id) == msg->handle);
}

static void
adopt(struct model *m, const struct m_job *old, uint32_t flying)
{
	struct m_message *msg = &m->messages[old->message];
	uint16_t ordinals[M_RCPTS];
	struct m_job *j;
	uint32_t n = 0;
	uint64_t id;

	for (uint16_t i = 0; i < M_RCPTS; i++) {
		if ((flying >> i & 1) != 0) {
			ordinals[n++] = i;
		}
	}
	M_CHECK(m,
	    core_adopt(m->core, msg->handle, m->site_number[old->site],
		(uint32_t)old->source, ordinals, n, &id) == 0);
	j = m_enter(m, id, msg, old->site, old->source);
	m_take(m, j, n);
	j->hour = 0; /* what it used is not given back */
	j->left = n;
	for (uint32_t i = 0; i < n; i++) {
		struct m_rcpt *r = &msg->rcpts[ordinals[i]];

		r->to_hold = r->state == M_HELD;
		r->state = M_FLIGHT;
		r->job = id;
	}
}

static void
restore_quotas(struct model *m)
{
	for (uint32_t a = 0; a < M_ACCOUNTS; a++) {
		for (uint32_t s = 0; s < M_SUBS; s++) {
			const struct m_tenant *t = &m->tenants[a][s];

			core_quota_set(m->core, a, s, t->hour, t->used);
		}
	}
}

static void
do_restart(struct model *m)
{
	struct core *old = m->core;
	struct m_job jobs[M_JOBS];
	uint32_t flying[M_JOBS] = { 0 };

	memcpy(jobs, m->jobs, sizeof(jobs));
	for (unsigned i = 0; i < M_JOBS; i++) {
		const struct m_message *msg = &m->messages[jobs[i].message];

		for (unsigned k = 0; jobs[i].id != 0 && k < M_RCPTS; k++) {
			flying[i] |=
			    (uint32_t)(msg->rcpts[k].state == M_FLIGHT &&
				msg->rcpts[k].job == jobs[i].id)
			    << k;
		}
	}
	m->core = core_new(&m->conf, m->now_us);
	M_CHECK(m, m->core != NULL);
	core_expect(m->core, rnd(3000)); /* more or less than come */
	model_set_up(m);
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		if (m->messages[i].is_used) {
			restore_message(m, old, &m->messages[i]);
		}
	}
	restore_quotas(m);
	M_CHECK(m, core_sum(m->core) == core_sum(old));
	core_free(&old);
	core_start(m->core);
	for (unsigned i = 0; i < M_JOBS; i++) {
		if (jobs[i].id != 0 && chance(70)) {
			adopt(m, &jobs[i], flying[i]);
		}
	}
}

/* ---- the run
 * -------------------------------------------------------------------- */

static void
drain(struct model *m)
{
	struct core_out out;
	bool is_more;

	do {
		is_more = core_advance(m->core, m->now_us);
		model_settle(m);
		while (core_next(m->core, &out)) {
			model_judge(m, &out);
			is_more = true;
		}
	} while (is_more || m->command != 0);
	model_quiet(m);
}

static void
do_time(struct model *m)
{
	static const uint32_t most_s[] = { 0, 2, 2, 2, 60, 60, 600, 7200 };
	uint64_t wake = core_wake_us(m->core);

	if (chance(30) && wake != UINT64_MAX) {
		m->now_us = wake > m->now_us ? wake : m->now_us;
		return;
	}
	m->now_us += rnd(1000000) + most_s[rnd(8)] * (uint64_t)rnd(1000) * 1000;
	if (rnd(1000) == 0) {
		m->now_us += 86400ULL * 1000000 * rnd(15);
	}
}

static void
event(struct model *m)
{
	static const struct {
		uint32_t percent;
		void (*act)(struct model *);
	} acts[] = {
		{ 20, do_add },
		{ 26, do_result },
		{ 12, do_conns },
		{ 16, do_time },
		{ 12, do_answer },
		{ 3, do_limits },
		{ 1, do_tenant },
		{ 1, do_source },
		{ 1, do_suspend },
		{ 2, do_command },
		{ 1, do_return },
		{ 2, do_late },
		{ 1, do_pin },
		{ 1, do_move },
		{ 1, do_ask },
	};
	uint32_t n = rnd(100);

	if (rnd(2000) == 0) {
		do_restart(m);
		return;
	}
	for (unsigned i = 0; i < array_len(acts); i++) {
		if (n < acts[i].percent) {
			acts[i].act(m);
			return;
		}
		n -= acts[i].percent;
	}
}

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s != NULL ? strtoull(s, NULL, 10) : otherwise;
}

static void
run(uint64_t seed, uint64_t events, uint64_t *jobs)
{
	static struct model m;

	random_state = seed;
	model_init(&m, seed);
	for (uint64_t i = 0; i < events; i++) {
		event(&m);
		drain(&m);
		if (i % 8 == 0) {
			model_compare(&m);
		}
	}
	*jobs += m.counts[CORE_JOB];
	for (unsigned i = 0; i <= CORE_ADMIN_DONE; i++) {
		if (m.counts[i] == 0 && events >= EVENTS / RUNS) {
			fail_msg("no output of kind %u in seed %llu", i,
			    (unsigned long long)seed);
		}
	}
	core_free(&m.core);
}

static void
test_core_agrees_with_a_naive_model_whatever_happens(void **state)
{
	uint64_t events = setting("CORE_EVENTS", EVENTS) / RUNS;
	uint64_t seed = setting("CORE_SEED", 1);
	uint64_t jobs = 0;

	(void)state;
	for (uint64_t i = 0; i < RUNS; i++) {
		print_message("# seed %llu\n", (unsigned long long)(seed + i));
		run(seed + i, events, &jobs);
	}
	print_message("# %llu jobs\n", (unsigned long long)jobs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_agrees_with_a_naive_model_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
