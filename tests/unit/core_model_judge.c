#include "core_model.h"

#include <string.h>

static int
index_of(const uint32_t *numbers, int n, uint32_t number)
{
	for (int i = 0; i < n; i++) {
		if (numbers[i] == number) {
			return i;
		}
	}
	return -1;
}

static unsigned
class_of(const struct m_message *msg, const struct m_rcpt *r)
{
	return r->attempts > 0 ? 3 : (unsigned)msg->m.class;
}

/* Whether b stands in the same queue as a, and before it. */
static bool
is_before(const struct m_message *ma, const struct m_rcpt *a,
    const struct m_message *mb, const struct m_rcpt *b)
{
	return b->state == M_READY && b->site == a->site &&
	    mb->m.account == ma->m.account &&
	    mb->m.subaccount == ma->m.subaccount && mb->m.pool == ma->m.pool &&
	    class_of(mb, b) == class_of(ma, a) && b->turn < a->turn;
}

static bool
is_first(
    const struct model *m, const struct m_message *msg, const struct m_rcpt *r)
{
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		const struct m_message *other = &m->messages[i];

		if (!other->is_used || m_is_expired(m, other)) {
			continue;
		}
		for (unsigned k = 0; k < M_RCPTS; k++) {
			if (is_before(msg, r, other, &other->rcpts[k])) {
				return false;
			}
		}
	}
	return true;
}

static uint32_t
quota_left(const struct model *m, const struct m_tenant *t)
{
	uint32_t n = m_used(m, t);

	if (t->quota == 0) {
		return UINT32_MAX;
	}
	return n < t->quota ? t->quota - n : 0;
}

static void
use_quota(struct model *m, struct m_tenant *t, uint32_t n)
{
	M_CHECK(m, n == 0 || quota_left(m, t) >= n);
	t->used = m_used(m, t) + n;
	t->hour = m_now_s(m) / 3600;
}

static void
check_path(struct model *m, const struct core_job *j, int site)
{
	struct m_path *p = &m->paths[site][j->source];
	uint32_t limit = p->state == M_PROBING ? 1 : (uint32_t)p->window;
	uint32_t site_limit = m_limits(m, &m->sites[site])->max_conn;

	M_CHECK(m, m_path_open(m, site, (int)j->source));
	M_CHECK(m, j->is_probe == (p->state == M_PROBING));
	M_CHECK(m, !p->is_seen || p->number == j->path);
	p->is_seen = true;
	p->number = j->path;
	M_CHECK(m, j->conn_limit >= 1 && j->conn_limit <= limit);
	M_CHECK(m, site_limit == 0 || j->conn_limit <= site_limit);
}

/* A job opens a connection where one more is allowed, or goes over one that
 * there is, or waits behind one. */
static void
check_conns(struct model *m, const struct core_job *j, int site)
{
	struct m_path *p = &m->paths[site][j->source];
	const struct m_gate *gates[M_GATES];
	unsigned n = m_conn_gates(m, site, (int)j->source, gates);

	if (!j->may_open) {
		M_CHECK(m, p->inflight < m->conf.credit * m_kept(p));
		return;
	}
	M_CHECK(m, m_may_open(m, site, (int)j->source));
	p->conns++;
	p->usable++;
	for (unsigned i = 0; i < n; i++) {
		const struct core_limits *l = m_limits(m, gates[i]);
		struct m_gate *g = (struct m_gate *)(uintptr_t)gates[i];

		if (l->rate_conns > 0 && l->rate_conn_s > 0) {
			g->conn_tat_us =
			    (g->conn_tat_us > m->now_us ? g->conn_tat_us
							: m->now_us) +
			    (l->rate_conn_s * 1000000ULL + l->rate_conns - 1) /
				l->rate_conns;
		}
	}
}

static void
judge_close(struct model *m, const struct core_out *out)
{
	for (int i = 0; i < M_SITES * M_SOURCES; i++) {
		struct m_path *p = &m->paths[i / M_SOURCES][i % M_SOURCES];

		if (p->is_seen && p->number == out->path) {
			p->closing += out->conns;
			M_CHECK(m, out->conns > 0 && p->closing <= p->ready);
			return;
		}
	}
	M_CHECK(m, false);
}

static void
check_burst(struct model *m, const struct m_job *j, uint32_t nrcpt)
{
	struct m_gate *gates[M_GATES];
	unsigned n = m_gates(m, j, gates);

	for (unsigned i = 0; i < n; i++) {
		uint32_t most = m_limits(m, gates[i])->rcpt_burst;

		M_CHECK(m, most == 0 || nrcpt <= most);
	}
}

static void
judge_job(struct model *m, const struct core_out *out)
{
	const struct core_job *j = &out->job;
	struct m_message *msg = m_find(m, out->msg);
	int site = index_of(m->site_number, M_SITES, j->site);
	struct m_tenant *account;
	struct m_job *job;
	uint32_t fresh = 0;

	M_CHECK(m, msg != NULL && site >= 0 && j->source < M_SOURCES);
	M_CHECK(m, !m_is_expired(m, msg));
	M_CHECK(m, m_pool_of[j->source] == (int)msg->m.pool);
	M_CHECK(m, m_tenant_open(m, msg->m.account, msg->m.subaccount));
	M_CHECK(m, j->nrcpt >= 1 && j->nrcpt <= m->conf.rcpt_limit);
	M_CHECK(m, (msg->m.flags & CORE_SINGLE) == 0 || j->nrcpt == 1);
	check_path(m, j, site);
	check_conns(m, j, site);
	M_CHECK(m, is_first(m, msg, &msg->rcpts[j->rcpts[0].ordinal]));
	job = m_enter(m, j->id, msg, site, (int)j->source);
	check_burst(m, job, j->nrcpt);
	m_take(m, job, j->nrcpt);
	for (uint32_t i = 0; i < j->nrcpt; i++) {
		struct m_rcpt *r = &msg->rcpts[j->rcpts[i].ordinal];

		M_CHECK(m, r->state == M_READY && r->site == site);
		M_CHECK(m, m->domains[r->domain].number == j->domain);
		M_CHECK(m, j->rcpts[i].attempt == r->attempts + 1);
		fresh += r->attempts == 0;
		r->state = M_FLIGHT;
		r->job = j->id;
		job->left++;
	}
	account = m->tenants[msg->m.account];
	use_quota(m, &account[0], fresh);
	if (msg->m.subaccount != 0) {
		use_quota(m, &account[msg->m.subaccount], fresh);
	}
}

/* ---- other outputs
 * ------------------------------------------------------------ */

static struct m_domain *
domain_of(struct model *m, uint32_t number)
{
	for (int i = 0; i < M_DOMAINS; i++) {
		if (m->domains[i].number == number) {
			return &m->domains[i];
		}
	}
	M_CHECK(m, false);
}

static void
judge_question(struct model *m, const struct core_out *out)
{
	struct m_domain *d = domain_of(m, out->domain);

	m_need(m, d);
	M_CHECK(m, !d->is_asking && d->state != CORE_DOMAIN_FAILED);
	M_CHECK(m,
	    d->state == CORE_DOMAIN_UNKNOWN || d->until_us <= m->now_us ||
		m->is_retrying);
	d->is_asking = true;
}

bool
m_selected(const struct model *m, const struct m_message *msg, uint16_t ordinal)
{
	const struct m_rcpt *r = &msg->rcpts[ordinal];
	const struct core_selector *s = &m->sel;
	const struct m_domain *d = &m->domains[r->domain];

	return msg->is_used && r->state != M_NONE &&
	    (!s->by_account || s->account == msg->m.account) &&
	    (!s->by_subaccount || s->subaccount == msg->m.subaccount) &&
	    (s->domain == CORE_NONE || s->domain == d->number) &&
	    (s->site == CORE_NONE ||
		(d->site >= 0 && s->site == m->site_number[d->site])) &&
	    (s->msg == CORE_NONE || s->msg == msg->handle);
}

/* A command made it due, and that was its end. */
static bool
is_let_go(const struct model *m, const struct m_message *msg, uint16_t ordinal)
{
	enum m_state from = m->cmd == CORE_CMD_RELEASE ? M_HELD : M_WAIT;

	return m->command != 0 &&
	    (m->cmd == CORE_CMD_RELEASE || m->cmd == CORE_CMD_RETRY) &&
	    m_selected(m, msg, ordinal) && msg->rcpts[ordinal].state == from;
}

static void
judge_final(struct model *m, const struct core_out *out, struct m_rcpt *r,
    struct m_message *msg)
{
	bool let_go = is_let_go(m, msg, out->ordinal);

	M_CHECK(m, r->state != M_NONE && r->state != M_FLIGHT);
	M_CHECK(m, out->attempts == r->attempts);
	if (out->kind == CORE_EXPIRED) {
		M_CHECK(m, m_is_expired(m, msg));
		M_CHECK(m, r->state != M_HELD || let_go);
		m->unsure += let_go;
	} else if (out->kind == CORE_DNS_FAILED) {
		M_CHECK(m, r->state == M_RESOLVE || let_go);
		M_CHECK(m, m->domains[r->domain].state == CORE_DOMAIN_FAILED);
		m->unsure += let_go;
	} else if (!r->to_delete) {
		M_CHECK(m, m->command != 0 && m->cmd == CORE_CMD_DELETE);
		M_CHECK(m, m_selected(m, msg, out->ordinal));
		m->changed++;
	}
	*r = (struct m_rcpt){ 0 };
}

static void
judge_rcpt(struct model *m, const struct core_out *out)
{
	struct m_message *msg = m_find(m, out->msg);
	struct m_rcpt *r = &msg->rcpts[out->ordinal];

	M_CHECK(m, msg != NULL && out->ordinal < M_RCPTS);
	switch (out->kind) {
	case CORE_HELD:
		M_CHECK(m, m->command != 0 && m->cmd == CORE_CMD_HOLD);
		M_CHECK(m, m_selected(m, msg, out->ordinal));
		M_CHECK(m, r->state >= M_WAIT && r->state <= M_READY);
		r->state = M_HELD;
		m->changed++;
		break;
	case CORE_RELEASED:
		M_CHECK(m, m->command != 0 && m_selected(m, msg, out->ordinal));
		M_CHECK(m,
		    r->state == (m->cmd == CORE_CMD_RELEASE ? M_HELD : M_WAIT));
		r->state = M_WAIT;
		r->due_s = 0;
		m->changed++;
		model_settle(m);
		break;
	case CORE_RATE_LIMITED:
		M_CHECK(m, !msg->is_noted && r->state == M_READY);
		M_CHECK(
		    m, !m_tenant_open(m, msg->m.account, msg->m.subaccount));
		M_CHECK(m, out->due_s % 3600 == 0 && out->quota > 0);
		M_CHECK(m, out->due_s - m_now_s(m) <= 3600);
		msg->is_noted = true;
		break;
	default:
		judge_final(m, out, r, msg);
		break;
	}
}

static void
judge_done(struct model *m, const struct core_out *out)
{
	struct m_message *msg = m_find(m, out->msg);

	M_CHECK(m, msg != NULL && m_live(msg) == 0 && !msg->is_pinned);
	M_CHECK(m, memcmp(&out->id, &msg->m.id, sizeof(out->id)) == 0);
	M_CHECK(m, memcmp(&out->place, &msg->m.place, sizeof(out->place)) == 0);
	msg->is_used = false;
}

/* The command is over: it has reached those in jobs too. */
static void
judge_admin(struct model *m, const struct core_out *out)
{
	M_CHECK(m, m->command == out->command);
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		struct m_message *msg = &m->messages[i];

		for (uint16_t k = 0; k < M_RCPTS; k++) {
			struct m_rcpt *r = &msg->rcpts[k];

			if (!m_selected(m, msg, k) || r->state != M_FLIGHT) {
				continue;
			}
			if (m->cmd == CORE_CMD_HOLD && !r->to_delete &&
			    !r->to_hold) {
				r->to_hold = true;
				m->changed++;
			} else if (m->cmd == CORE_CMD_DELETE && !r->to_delete) {
				r->to_delete = true;
				m->changed++;
			} else if (m->cmd == CORE_CMD_RELEASE && r->to_hold) {
				r->to_hold = false;
				m->changed++;
			}
		}
	}
	M_CHECK(m, out->count >= m->changed);
	M_CHECK(m, out->count <= m->changed + m->unsure);
	m->command = 0;
}

static void
judge_segment(struct model *m, const struct core_out *out)
{
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		M_CHECK(m,
		    !m->messages[i].is_used ||
			m->messages[i].m.place.segid != out->segid);
	}
}

void
model_judge(struct model *m, const struct core_out *out)
{
	m->counts[out->kind]++;
	switch (out->kind) {
	case CORE_JOB:
		judge_job(m, out);
		break;
	case CORE_CANCEL:
		break;
	case CORE_CLOSE:
		judge_close(m, out);
		break;
	case CORE_RESOLVE:
		judge_question(m, out);
		break;
	case CORE_EXPIRED:
	case CORE_DNS_FAILED:
	case CORE_DELETED:
	case CORE_HELD:
	case CORE_RELEASED:
	case CORE_RATE_LIMITED:
		judge_rcpt(m, out);
		break;
	case CORE_MESSAGE_DONE:
		judge_done(m, out);
		break;
	case CORE_SEGMENT_EMPTY:
		judge_segment(m, out);
		break;
	case CORE_ADMIN_DONE:
		judge_admin(m, out);
		break;
	}
}

/* ---- nothing to do
 * ------------------------------------------------------------ */

static void
quiet_rcpt(struct model *m, const struct m_message *msg, const struct m_rcpt *r)
{
	const struct m_domain *d = &m->domains[r->domain];

	/* What expires is found within two rounds of the sweep. */
	M_CHECK(m,
	    r->state == M_HELD || r->state == M_FLIGHT ||
		msg->m.expiry_s + 121ULL > m_now_s(m));
	if (m_is_expired(m, msg)) {
		return;
	}
	M_CHECK(m, !m_could_go(m, msg, r));
	M_CHECK(m, !r->to_delete || r->state == M_FLIGHT);
	if (r->state == M_RESOLVE) {
		M_CHECK(m, d->state != CORE_DOMAIN_FAILED);
		M_CHECK(m,
		    d->is_asking ||
			(d->state == CORE_DOMAIN_LATER &&
			    d->until_us > m->now_us));
	}
}

static uint32_t
queued_of(const struct model *m, uint32_t account, uint32_t sub)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < M_MESSAGES; i++) {
		const struct m_message *msg = &m->messages[i];

		if (msg->is_used && msg->m.account == account &&
		    (sub == 0 || msg->m.subaccount == sub)) {
			n += m_live(msg);
		}
	}
	return n;
}

/* At the limit it is full, with a tenth free it is not; between the two it
 * stays what it was. */
static void
judge_room(struct model *m, uint32_t account, uint32_t sub)
{
	uint32_t limit = m->tenants[account][sub].queue_limit;
	uint32_t n = queued_of(m, account, sub);
	struct core_tenant_view v;

	if (core_tenant_get(m->core, account, sub, &v) < 0) {
		M_CHECK(m, n == 0);
		return;
	}
	M_CHECK(m, v.queued == n);
	M_CHECK(m, v.queue_limit == limit);
	M_CHECK(m, limit == 0 || n < limit || v.is_full);
	M_CHECK(m,
	    !v.is_full || (limit != 0 && n > limit - limit / 10) || n >= limit);
	M_CHECK(m, !v.is_full || limit != 0);
}

void
model_quiet(struct model *m)
{
	for (uint32_t a = 1; a < M_ACCOUNTS; a++) {
		for (uint32_t s = 0; s < M_SUBS; s++) {
			judge_room(m, a, s);
		}
	}
	M_CHECK(m, m->command == 0);
	m->is_retrying = false;
	for (unsigned i = 0; i < M_MESSAGES; i++) {
		const struct m_message *msg = &m->messages[i];

		if (!msg->is_used) {
			continue;
		}
		M_CHECK(m, m_live(msg) > 0 || msg->is_pinned);
		for (unsigned k = 0; k < M_RCPTS; k++) {
			if (msg->rcpts[k].state != M_NONE) {
				quiet_rcpt(m, msg, &msg->rcpts[k]);
			}
		}
	}
}

/* ---- all states
 * ---------------------------------------------------------------- */

static const enum core_rcpt_state states[] = {
	[M_WAIT] = CORE_RCPT_WAITING,
	[M_RESOLVE] = CORE_RCPT_RESOLVING,
	[M_READY] = CORE_RCPT_READY,
	[M_FLIGHT] = CORE_RCPT_INFLIGHT,
	[M_HELD] = CORE_RCPT_HELD,
};

static void
compare_message(struct model *m, const struct m_message *msg)
{
	struct core_rcpt_view v[M_RCPTS];
	uint32_t n = core_message_rcpts(m->core, msg->handle, v, M_RCPTS);

	M_CHECK(m, core_find(m->core, &msg->m.id) == msg->handle);
	M_CHECK(m, n == m_live(msg));
	for (uint32_t i = 0; i < n; i++) {
		const struct m_rcpt *r = &msg->rcpts[v[i].r.ordinal];

		if (m_is_expired(m, msg) && r->state != M_FLIGHT) {
			continue;
		}
		M_CHECK(m, v[i].state == states[r->state]);
		M_CHECK(m, v[i].r.attempts == r->attempts);
		M_CHECK(m, r->state != M_WAIT || v[i].r.due_s == r->due_s);
	}
}

static void
compare_path(struct model *m, const struct core_path_view *v)
{
	int site = index_of(m->site_number, M_SITES, v->site);
	const struct m_path *p = &m->paths[site][v->source];

	M_CHECK(m, v->inflight == p->inflight && v->failures == p->failures);
	M_CHECK(m, v->conns == p->conns);
	M_CHECK(
	    m, v->window > p->window - 1e-9 && v->window < p->window + 1e-9);
	M_CHECK(m, (v->state == CORE_PATH_DEAD) == (p->state == M_DEAD));
	M_CHECK(
	    m, (v->state == CORE_PATH_SUSPENDED) == (p->state == M_SUSPENDED));
}

void
model_compare(struct model *m)
{
	struct core_path_view v;
	uint32_t at = 0;

	for (unsigned i = 0; i < M_MESSAGES; i++) {
		if (m->messages[i].is_used) {
			compare_message(m, &m->messages[i]);
		}
	}
	while (core_path_next(m->core, &at, &v)) {
		compare_path(m, &v);
	}
}
