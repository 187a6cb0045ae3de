#include "core_model.h"

const struct core_limits *
m_limits(const struct model *m, const struct m_gate *g)
{
	return m->now_us < g->over_until_us ? &g->over : &g->base;
}

bool
m_gate_open(const struct model *m, const struct m_gate *g)
{
	const struct core_limits *l = m_limits(m, g);

	if (g->is_out || l->is_paused ||
	    (l->max_conn > 0 && g->inflight >= l->max_conn)) {
		return false;
	}
	if (l->rate_rcpts > 0 && l->rate_rcpt_s > 0 &&
	    g->rcpt_tat_us > m->now_us) {
		return false;
	}
	if (l->rate_msgs > 0 && l->rate_s > 0) {
		uint64_t one =
		    (l->rate_s * 1000000ULL + l->rate_msgs - 1) / l->rate_msgs;
		uint64_t slack = l->burst > 1 ? one * (l->burst - 1) : 0;

		return g->tat_us <= m->now_us + slack;
	}
	return true;
}

uint32_t
m_used(const struct model *m, const struct m_tenant *t)
{
	return t->hour == m_now_s(m) / 3600 ? t->used : 0;
}

static bool
one_open(const struct model *m, const struct m_tenant *t)
{
	return m_gate_open(m, &t->gate) &&
	    (t->quota == 0 || m_used(m, t) < t->quota);
}

bool
m_tenant_open(const struct model *m, uint32_t account, uint32_t sub)
{
	return one_open(m, &m->tenants[account][0]) &&
	    (sub == 0 || one_open(m, &m->tenants[account][sub]));
}

uint32_t
m_capacity(const struct model *m, const struct m_path *p)
{
	return p->state == M_PROBING ? 1 : m->conf.credit * (uint32_t)p->window;
}

uint32_t
m_kept(const struct m_path *p)
{
	return p->usable > p->closing ? p->usable - p->closing : 0;
}

unsigned
m_conn_gates(
    const struct model *m, int site, int source, const struct m_gate **out)
{
	int provider = m->site_provider[site];
	unsigned n = 0;

	out[n++] = &m->sources[source];
	out[n++] = &m->sites[site];
	out[n++] = &m->sites_from[site][source];
	if (provider >= 0) {
		out[n++] = &m->providers[provider];
		out[n++] = &m->providers_from[provider][source];
	}
	return n;
}

/* Connections that count there. */
static uint32_t
conns_at(const struct model *m, const struct m_gate *g)
{
	uint32_t conns = 0;

	for (int site = 0; site < M_SITES; site++) {
		for (int source = 0; source < M_SOURCES; source++) {
			const struct m_gate *gates[M_GATES];
			unsigned n = m_conn_gates(m, site, source, gates);

			for (unsigned i = 0; i < n; i++) {
				conns += gates[i] == g
				    ? m->paths[site][source].conns
				    : 0;
			}
		}
	}
	return conns;
}

bool
m_conn_open(const struct model *m, const struct m_gate *g)
{
	const struct core_limits *l = m_limits(m, g);
	uint64_t one, slack;

	if (l->max_conn > 0 && conns_at(m, g) >= l->max_conn) {
		return false;
	}
	if (l->rate_conns == 0 || l->rate_conn_s == 0) {
		return true;
	}
	one = (l->rate_conn_s * 1000000ULL + l->rate_conns - 1) / l->rate_conns;
	slack = l->conn_burst > 1 ? one * (l->conn_burst - 1) : 0;
	return g->conn_tat_us <= m->now_us + slack;
}

bool
m_may_open(const struct model *m, int site, int source)
{
	const struct m_gate *gates[M_GATES];
	unsigned n = m_conn_gates(m, site, source, gates);

	for (unsigned i = 0; i < n; i++) {
		if (!m_conn_open(m, gates[i])) {
			return false;
		}
	}
	return true;
}

bool
m_path_open(const struct model *m, int site, int source)
{
	const struct m_path *p = &m->paths[site][source];
	int provider = m->site_provider[site];

	return p->state != M_DEAD && p->state != M_SUSPENDED &&
	    p->inflight < m_capacity(m, p) &&
	    m_gate_open(m, &m->sources[source]) &&
	    m_gate_open(m, &m->sites[site]) &&
	    m_gate_open(m, &m->sites_from[site][source]) &&
	    (provider < 0 ||
		(m_gate_open(m, &m->providers[provider]) &&
		    m_gate_open(m, &m->providers_from[provider][source])));
}

/* Jobs of an account for a site and pool. */
static uint32_t
jobs_of(const struct model *m, int site, int pool, uint32_t account)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < M_JOBS; i++) {
		const struct m_job *j = &m->jobs[i];

		n += j->id != 0 && j->site == site &&
		    m_pool_of[j->source] == pool &&
		    m->messages[j->message].m.account == account;
	}
	return n;
}

/* Whether mail of the account is ready for the site and pool. */
static bool
waits(const struct model *m, int site, int pool, uint32_t account)
{
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		const struct m_message *msg = &m->messages[i];

		if (!msg->is_used || msg->m.account != account ||
		    msg->m.pool != (uint32_t)pool) {
			continue;
		}
		for (unsigned k = 0; k < M_RCPTS; k++) {
			if (msg->rcpts[k].state == M_READY &&
			    msg->rcpts[k].site == site) {
				return true;
			}
		}
	}
	return false;
}

/* It has its share of the connections while others wait for theirs. */
static bool
has_its_share(const struct model *m, int site, int pool, uint32_t account)
{
	uint64_t window = 0;
	uint64_t weights = 0;
	uint64_t share;
	unsigned n = 0;

	for (int s = 0; s < M_SOURCES; s++) {
		const struct m_path *p = &m->paths[site][s];

		if (m_pool_of[s] == pool && p->state != M_DEAD &&
		    p->state != M_SUSPENDED) {
			window +=
			    p->state == M_PROBING ? 1 : (uint64_t)p->window;
		}
	}
	for (uint32_t a = 0; a < M_ACCOUNTS; a++) {
		if (waits(m, site, pool, a)) {
			weights += m->tenants[a][0].weight;
			n++;
		}
	}
	if (n < 2) {
		return false;
	}
	share = 3 * m->tenants[account][0].weight * window / (2 * weights);
	return jobs_of(m, site, pool, account) >= (share < 2 ? 2 : share);
}

/* A connection waits for it, or it has none and may open one. More than that,
 * and to give out ahead, is the core's choice. */
static bool
must_go(const struct model *m, int site, int source)
{
	const struct m_path *p = &m->paths[site][source];
	uint32_t window = p->state == M_PROBING ? 1 : (uint32_t)p->window;

	if (p->inflight >= window) {
		return false;
	}
	if (p->inflight == 0 && m_kept(p) == 0) {
		return m_may_open(m, site, source);
	}
	return p->ready > p->inflight + p->closing;
}

bool
m_could_go(
    const struct model *m, const struct m_message *msg, const struct m_rcpt *r)
{
	int pool = (int)msg->m.pool;

	if (r->state != M_READY ||
	    !m_tenant_open(m, msg->m.account, msg->m.subaccount) ||
	    has_its_share(m, r->site, pool, msg->m.account)) {
		return false;
	}
	for (int s = 0; s < M_SOURCES; s++) {
		if (m_pool_of[s] == pool && m_path_open(m, r->site, s) &&
		    must_go(m, r->site, s)) {
			return true;
		}
	}
	return false;
}
