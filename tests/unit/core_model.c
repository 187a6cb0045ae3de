#include "core_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const int m_pool_of[M_SOURCES] = { 0, 0, 1 };

static const uint32_t later_s[] = { 30, 60, 120, 300, 600, 1200, 1800 };
static const uint32_t rest_s[] = { 60, 120, 300, 600, 1200, 2400, 3600 };

void
model_fail(const struct model *m, const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s (time %llu, %llu messages so far)\n", file,
	    line, what, (unsigned long long)m->now_us,
	    (unsigned long long)m->serial);
	abort();
}

uint32_t
m_now_s(const struct model *m)
{
	return (uint32_t)(m->now_us / 1000000);
}

unsigned
m_live(const struct m_message *msg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < M_RCPTS; i++) {
		n += msg->rcpts[i].state != M_NONE;
	}
	return n;
}

bool
m_is_expired(const struct model *m, const struct m_message *msg)
{
	return msg->m.expiry_s <= m_now_s(m);
}

struct m_message *
m_find(struct model *m, uint32_t handle)
{
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		if (m->messages[i].is_used && m->messages[i].handle == handle) {
			return &m->messages[i];
		}
	}
	return NULL;
}

/* ---- set up -----------------------------------------------------------------
 */

static void
name_all(struct model *m)
{
	for (int i = 0; i < M_SITES; i++) {
		char name[16];
		int n = snprintf(name, sizeof(name), "site%d", i);
		struct str s = { name, (size_t)n };

		m->site_number[i] = core_site(m->core, s, NULL);
		/* A domain that is never let go keeps the site. */
		core_site_answer(m->core, core_domain(m->core, s),
		    CORE_ANSWER_SITE, m->site_number[i], CORE_NONE, UINT32_MAX);
		m->site_provider[i] = -1;
	}
	for (int i = 0; i < M_PROVIDERS; i++) {
		char name[16];
		int n = snprintf(name, sizeof(name), "provider%d", i);

		m->provider_number[i] = core_provider(
		    m->core, (struct str){ name, (size_t)n }, NULL);
	}
	for (int i = 0; i < M_DOMAINS; i++) {
		char name[16];
		int n = snprintf(name, sizeof(name), "domain%d", i);

		m->domains[i] = (struct m_domain){
			.number = core_domain(
			    m->core, (struct str){ name, (size_t)n }),
			.site = -1,
		};
	}
}

void
model_set_up(struct model *m)
{
	name_all(m);
	for (int i = 0; i < M_SOURCES; i++) {
		M_CHECK(m,
		    core_source_set(m->core, (uint32_t)i,
			(uint32_t)m_pool_of[i], true) == 0);
		m->sources[i] = (struct m_gate){ 0 };
	}
	for (int i = 0; i < M_SITES; i++) {
		m->sites[i] = (struct m_gate){ 0 };
		for (int k = 0; k < M_SOURCES; k++) {
			struct m_path *p = &m->paths[i][k];

			*p =
			    (struct m_path){ .window = m->conf.window_initial };
			if (p->window > m->conf.concurrency_limit) {
				p->window = m->conf.concurrency_limit;
			}
		}
	}
	memset(m->providers, 0, sizeof(m->providers));
	memset(m->providers_from, 0, sizeof(m->providers_from));
	memset(m->sites_from, 0, sizeof(m->sites_from));
	memset(m->jobs, 0, sizeof(m->jobs));
	for (uint32_t a = 0; a < M_ACCOUNTS; a++) {
		for (uint32_t s = 0; s < M_SUBS; s++) {
			struct m_tenant *t = &m->tenants[a][s];

			t->gate = (struct m_gate){ 0 };
			t->weight = CORE_WEIGHT_DEFAULT;
			t->quota = 0;
			t->queue_limit = 0;
		}
	}
}

/* Recipients that keep the domains' numbers in use. */
static void
anchor(struct model *m)
{
	struct m_message *msg = &m->messages[0];
	struct core_rcpt r[M_DOMAINS];

	msg->is_used = true;
	msg->m = (struct core_message){ .expiry_s = UINT32_MAX,
		.accept_lsn = 1,
		.place.segid = M_SEGMENTS };
	msg->m.id.b[0] = 0xff;
	for (uint16_t i = 0; i < M_DOMAINS; i++) {
		r[i] = (struct core_rcpt){ .ordinal = i,
			.domain = m->domains[i].number,
			.is_held = true };
		msg->rcpts[i] = (struct m_rcpt){ .state = M_HELD, .domain = i };
	}
	M_CHECK(m, core_add(m->core, &msg->m, r, M_DOMAINS, &msg->handle) == 0);
}

void
model_init(struct model *m, uint64_t seed)
{
	memset(m, 0, sizeof(*m));
	core_config_init(&m->conf);
	m->conf.seed = seed;
	m->conf.max_messages = 1000;
	m->conf.max_rcpts = 5000;
	m->conf.window_initial = 1 + (uint32_t)(seed % 4);
	m->conf.concurrency_limit = 2 + (uint32_t)(seed % 7);
	m->conf.rcpt_limit = 1 + (uint32_t)(seed % 5);
	m->conf.credit = 1 + (uint32_t)(seed % 3);
	m->conf.slice = 1 + (uint32_t)(seed * 13 % 100);
	m->now_us = 1700000000000000ULL;
	m->core = core_new(&m->conf, m->now_us);
	M_CHECK(m, m->core != NULL);
	model_set_up(m);
	anchor(m);
	core_start(m->core);
}

/* ---- what time and answers do ---------------------------------------------
 */

/* A recipient needs the domain's site. */
void
m_need(struct model *m, struct m_domain *d)
{
	bool is_over = d->until_us <= m->now_us;

	if (d->state == CORE_DOMAIN_FAILED && is_over) {
		d->state = CORE_DOMAIN_UNKNOWN;
	}
}

/* A recipient that may be tried: where it waits now. */
static void
go(struct model *m, struct m_rcpt *r)
{
	struct m_domain *d = &m->domains[r->domain];

	m_need(m, d);
	if (d->state == CORE_DOMAIN_KNOWN) {
		r->state = M_READY;
		r->site = d->site;
		r->turn = m->back;
	} else {
		r->state = M_RESOLVE;
	}
}

static void
path_time(const struct model *m, struct m_path *p)
{
	if ((p->state == M_DEAD || p->state == M_SUSPENDED) &&
	    p->until_us <= m->now_us) {
		p->state =
		    p->state == M_DEAD || p->was_dead ? M_PROBING : M_OPEN;
	}
}

void
model_settle(struct model *m)
{
	m->back++;
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		struct m_message *msg = &m->messages[i];

		for (unsigned k = 0; msg->is_used && k < M_RCPTS; k++) {
			struct m_rcpt *r = &msg->rcpts[k];

			if (m_is_expired(m, msg)) {
				continue; /* will be told, sooner or later */
			}
			if ((r->state == M_WAIT && r->due_s <= m_now_s(m)) ||
			    r->state == M_RESOLVE) {
				go(m, r);
			}
		}
	}
	for (int s = 0; s < M_SITES; s++) {
		for (int k = 0; k < M_SOURCES; k++) {
			path_time(m, &m->paths[s][k]);
		}
	}
}

void
model_answer(struct model *m, struct m_domain *d, enum core_answer answer,
    int site, int provider, uint32_t ttl_s)
{
	d->is_asking = false;
	switch (answer) {
	case CORE_ANSWER_SITE:
		d->state = CORE_DOMAIN_KNOWN;
		d->site = site;
		d->until_us = m->now_us + ttl_s * 1000000ULL;
		d->fails = 0;
		m->site_provider[site] = provider;
		break;
	case CORE_ANSWER_LATER:
		d->until_us = m->now_us + later_s[d->fails] * 1000000ULL;
		d->fails += d->fails + 1 < array_len(later_s);
		if (d->state != CORE_DOMAIN_KNOWN) {
			d->state = CORE_DOMAIN_LATER;
		}
		break;
	case CORE_ANSWER_NEVER:
		d->state = CORE_DOMAIN_FAILED;
		d->site = -1;
		d->until_us = m->now_us + ttl_s * 1000000ULL;
		d->fails = 0;
		break;
	}
}

/* ---- jobs
 * -------------------------------------------------------------------- */

struct m_job *
m_job(struct model *m, uint64_t id)
{
	for (unsigned i = 0; i < M_JOBS; i++) {
		if (m->jobs[i].id == id) {
			return &m->jobs[i];
		}
	}
	return NULL;
}

static uint64_t
spacing(const struct core_limits *l)
{
	return (l->rate_s * 1000000ULL + l->rate_msgs - 1) / l->rate_msgs;
}

static void
enter(const struct model *m, struct m_gate *g, int n)
{
	const struct core_limits *l = m_limits(m, g);

	g->inflight += (uint32_t)n;
	if (n > 0 && l->rate_msgs > 0 && l->rate_s > 0) {
		g->tat_us = (g->tat_us > m->now_us ? g->tat_us : m->now_us) +
		    spacing(l);
	}
}

unsigned
m_gates(struct model *m, const struct m_job *j, struct m_gate **out)
{
	const struct core_message *cm = &m->messages[j->message].m;
	unsigned n = 0;

	out[n++] = &m->sites[j->site];
	out[n++] = &m->sites_from[j->site][j->source];
	out[n++] = &m->sources[j->source];
	out[n++] = &m->tenants[cm->account][0].gate;
	if (cm->subaccount != 0) {
		out[n++] = &m->tenants[cm->account][cm->subaccount].gate;
	}
	if (j->provider >= 0) {
		out[n++] = &m->providers[j->provider];
		out[n++] = &m->providers_from[j->provider][j->source];
	}
	return n;
}

static void
enter_all(struct model *m, const struct m_job *j, int n)
{
	struct m_gate *gates[M_GATES];
	unsigned count = m_gates(m, j, gates);

	for (unsigned i = 0; i < count; i++) {
		enter(m, gates[i], n);
	}
	m->paths[j->site][j->source].inflight += (uint32_t)n;
}

/* Each recipient takes its part of the rate. */
void
m_take(struct model *m, const struct m_job *j, uint32_t n)
{
	struct m_gate *gates[M_GATES];
	unsigned count = m_gates(m, j, gates);

	for (unsigned i = 0; i < count; i++) {
		const struct core_limits *l = m_limits(m, gates[i]);
		struct m_gate *g = gates[i];
		uint64_t one;

		if (l->rate_rcpts == 0 || l->rate_rcpt_s == 0) {
			continue;
		}
		one = (l->rate_rcpt_s * 1000000ULL + l->rate_rcpts - 1) /
		    l->rate_rcpts;
		g->rcpt_tat_us =
		    (g->rcpt_tat_us > m->now_us ? g->rcpt_tat_us : m->now_us) +
		    n * one;
	}
}

struct m_job *
m_enter(
    struct model *m, uint64_t id, struct m_message *msg, int site, int source)
{
	struct m_job *j = m_job(m, 0);

	M_CHECK(m, j != NULL && m_job(m, id) == NULL);
	*j = (struct m_job){ .id = id,
		.message = (uint32_t)(msg - m->messages),
		.site = site,
		.source = source,
		.provider = m->site_provider[site],
		.hour = m_now_s(m) / 3600,
		.feedback = -1 };
	enter_all(m, j, 1);
	return j;
}

static void
die(const struct model *m, struct m_path *p)
{
	uint32_t step = p->failures < array_len(rest_s)
	    ? p->failures
	    : (uint32_t)array_len(rest_s) - 1;

	p->failures++;
	p->state = M_DEAD;
	p->cohorts = 0;
	p->window = 1;
	p->until_us = m->now_us + rest_s[step] * 1000000ULL;
}

static void
answered(const struct model *m, struct m_path *p)
{
	bool is_revived = p->state == M_DEAD || p->state == M_PROBING ||
	    (p->state == M_SUSPENDED && p->was_dead);

	p->cohorts = 0;
	if (is_revived) {
		p->failures = 0;
		p->window = 2;
		p->was_dead = false;
		if (p->state != M_SUSPENDED) {
			p->state = M_OPEN;
		}
	} else if (p->window < p->inflight + 1 + m->conf.window_initial) {
		p->window += 1 / p->window;
	}
	if (p->window > m->conf.concurrency_limit) {
		p->window = m->conf.concurrency_limit;
	}
}

static void
failed(const struct model *m, struct m_path *p, int feedback)
{
	if (p->state == M_DEAD || p->state == M_SUSPENDED) {
		return;
	}
	if (p->state == M_PROBING) {
		die(m, p);
		return;
	}
	if (feedback == CORE_FB_CONNECT) {
		p->cohorts += 1.0 / (uint32_t)p->window;
	}
	p->window *= 0.75;
	if (p->window < 1) {
		p->window = 1;
	}
	if (p->cohorts >= 1) {
		die(m, p);
	}
}

static void
finish(struct model *m, struct m_job *j)
{
	struct m_path *p = &m->paths[j->site][j->source];

	enter_all(m, j, -1);
	if (j->feedback == CORE_FB_OK) {
		answered(m, p);
	} else if (j->feedback > 0) {
		failed(m, p, j->feedback);
	}
	j->id = 0;
}

static void
give_back(const struct m_job *j, struct m_tenant *t)
{
	if (t->hour == j->hour && t->used > 0) {
		t->used--;
	}
}

static void
next_state(struct model *m, struct m_message *msg, struct m_rcpt *r,
    const struct core_result *res, const struct core_verdict *v)
{
	bool is_final = res->outcome == OUTCOME_DELIVERED ||
	    res->outcome == OUTCOME_FAILED || res->outcome == OUTCOME_DAMAGED;
	bool to_hold = r->to_hold;
	bool to_delete = r->to_delete;

	r->attempts += res->outcome != OUTCOME_RETURNED;
	r->to_hold = false;
	r->to_delete = false;
	M_CHECK(m, v->attempts == r->attempts);
	if (is_final) {
		M_CHECK(m, v->fate == CORE_FATE_FINAL);
		r->state = M_NONE;
	} else if (to_delete) {
		/* CORE_DELETED follows. */
		M_CHECK(m, v->fate == CORE_FATE_DELETED);
		r->to_delete = true;
		r->state = M_HELD;
	} else if (to_hold) {
		M_CHECK(m, v->fate == CORE_FATE_HELD);
		r->state = M_HELD;
	} else if (res->outcome == OUTCOME_RETURNED) {
		M_CHECK(m, v->fate == CORE_FATE_AGAIN);
		if (!m_is_expired(m, msg)) {
			go(m, r);
			r->turn = --m->front;
		} else {
			r->state = M_WAIT;
			r->due_s = 0;
		}
	} else {
		M_CHECK(m, v->fate == CORE_FATE_RETRY);
		r->state = M_WAIT;
		r->due_s = v->due_s;
	}
}

/* The due time that the core chose, against the rule for it. */
static void
check_due(const struct model *m, const struct m_message *msg,
    const struct m_rcpt *r, const struct core_result *res,
    const struct core_verdict *v)
{
	uint32_t now = m_now_s(m);
	uint32_t wait = res->delay_s;
	uint32_t span = 0;

	if (v->fate != CORE_FATE_RETRY) {
		return;
	}
	if (wait == 0) {
		uint32_t n =
		    r->attempts < m->conf.nretry ? r->attempts : m->conf.nretry;

		wait = m->conf.retry_s[n - 1];
		span = wait * m->conf.jitter_percent / 100;
	}
	if (v->due_s >= msg->m.expiry_s || v->due_s == now) {
		M_CHECK(m, now + wait + span >= msg->m.expiry_s);
		M_CHECK(m,
		    v->due_s == msg->m.expiry_s ||
			(v->due_s == now && m_is_expired(m, msg)));
		return;
	}
	M_CHECK(m, v->due_s >= now + wait - span);
	M_CHECK(m, v->due_s <= now + wait + span);
}

void
model_result(struct model *m, struct m_job *j, struct m_message *msg,
    uint16_t ordinal, const struct core_result *res,
    const struct core_verdict *v)
{
	struct m_rcpt *r = &msg->rcpts[ordinal];

	M_CHECK(m, r->state == M_FLIGHT && r->job == j->id);
	if (res->outcome != OUTCOME_RETURNED &&
	    res->outcome != OUTCOME_DAMAGED &&
	    (int)res->feedback > j->feedback) {
		j->feedback = (int)res->feedback;
	}
	if (res->outcome == OUTCOME_RETURNED && r->attempts == 0) {
		const struct core_message *cm = &msg->m;

		give_back(j, &m->tenants[cm->account][0]);
		if (cm->subaccount != 0) {
			give_back(j, &m->tenants[cm->account][cm->subaccount]);
		}
	}
	next_state(m, msg, r, res, v);
	check_due(m, msg, r, res, v);
	if (--j->left == 0) {
		finish(m, j);
	}
}

void
model_late(struct model *m, struct m_message *msg, uint16_t ordinal,
    const struct core_result *res, const struct core_verdict *v)
{
	struct m_rcpt *r = &msg->rcpts[ordinal];

	r->to_hold = r->state == M_HELD;
	next_state(m, msg, r, res, v);
	check_due(m, msg, r, res, v);
}

void
m_probe(struct m_path *p)
{
	if (p->state == M_DEAD) {
		p->state = M_PROBING;
	}
}
