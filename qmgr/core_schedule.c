#include "core_impl.h"

/* Whether the path may go; else it waits at a gate now. */
static bool
passes(struct core *core, uint32_t path)
{
	const struct path *p = path_at(core, path);
	uint32_t gates[PATH_GATES];
	uint32_t n;

	warm_prepare(core, p);
	n = path_gates(core, p, gates);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t gate = gates[i];
		uint64_t until_us;
		bool on_quota;

		if (!gate_is_open(core, gate, &until_us, &on_quota)) {
			path_park(core, path, gate, until_us);
			return false;
		}
		if (gate_at(core, gate)->waiters != NIL &&
		    (p->tickets & gate_ticket(core, gate)) == 0 &&
		    !conn_goes_first(core, p, gate)) {
			path_park(core, path, gate, 0);
			return false;
		}
	}
	return conn_passes(core, path, gates, n);
}

/* ---- the job
 * ------------------------------------------------------------------ */

static void
least(uint32_t *value, uint32_t limit)
{
	if (limit > 0 && (*value == 0 || limit < *value)) {
		*value = limit;
	}
}

static void
add_limits(const struct core *core, uint32_t gate, struct core_job *j)
{
	const struct core_limits *l = gate_limits(core, gate_at(core, gate));

	least(&j->conn_messages, l->conn_msgs);
	least(&j->conn_seconds, l->conn_s);
	if (l->rate_conns > 0) {
		least(&j->open_ms, l->start_ms);
	}
	if (gate_is_paced(core, gate)) {
		least(&j->start_ms, l->start_ms);
	}
}

/* How many connections the path may have, and how they may be used. */
static void
fill_limits(const struct core *core, const struct job *from, struct core_job *j)
{
	const struct path *p = path_at(core, from->path);
	const struct tenant *t = tenant_at(core, from->tenant);
	uint32_t n = path_connections(p);
	uint32_t gates[PATH_GATES];
	uint32_t ngates = path_gates(core, p, gates);

	for (uint32_t i = 0; i < ngates; i++) {
		uint32_t max =
		    gate_limits(core, gate_at(core, gates[i]))->max_conn;

		add_limits(core, gates[i], j);
		least(&n, max);
		j->is_counted = j->is_counted || max > 0;
	}
	add_limits(core, t->gate, j);
	add_limits(core, tenant_at(core, t->parent)->gate, j);
	j->conn_limit = (uint16_t)(n > UINT16_MAX ? UINT16_MAX : n);
}

static void
fill(struct core *core, uint32_t job, struct core_out *out)
{
	const struct job *from = job_at(core, job);
	const struct path *p = path_at(core, from->path);
	const struct ring *r = ring_at(core, p->ring);
	uint32_t provider = site_at(core, r->site)->provider;
	struct core_job *j = &out->job;

	out->kind = CORE_JOB;
	message_out(core, from->msg, out);
	*j = (struct core_job){ .id = from->id,
		.path = from->path,
		.site = r->site,
		.provider = provider == NIL ? CORE_NONE : provider,
		.source = p->source,
		.domain = rcpt_at(core, from->rcpts)->domain,
		.is_probe = p->is_probing,
		.may_open = p->may_open,
		.rcpts = core->job_rcpts };
	fill_limits(core, from, j);
	for (uint32_t i = from->rcpts; i != NIL;
	     i = list_next(from->rcpts, rcpt_kin(core), i)) {
		const struct rcpt *rcpt = rcpt_at(core, i);

		core->job_rcpts[j->nrcpt++] = (struct core_job_rcpt){
			.ordinal = rcpt->ordinal,
			.attempt = rcpt->attempts + 1u,
			.domain = rcpt->domain,
		};
	}
}

/* Whether b may share the transaction of a. */
static bool
fits(const struct core *core, uint32_t site, const struct rcpt *a,
    const struct rcpt *b)
{
	return a->msg == b->msg &&
	    (a->domain == b->domain || site == core->relay);
}

/* Takes the first recipient of the FIFO, and those behind it that fit. */
static void
take(struct core *core, uint32_t job, uint32_t leaf, uint32_t class)
{
	struct job *j = job_at(core, job);
	uint32_t site = ring_at(core, path_at(core, j->path)->ring)->site;
	uint32_t quota = tenant_quota_left(core, j->tenant);
	uint32_t limit = core->conf.rcpt_limit;
	uint32_t head = fq_at(core, leaf)->fifo[class];
	uint32_t fresh = 0;

	for (uint32_t k = 0; k < j->ngates; k++) {
		least(&limit,
		    gate_limits(core, gate_at(core, j->gates[k]))->rcpt_burst);
	}
	if (j->warm != NIL) {
		least(&limit, warm_left(core, j->warm));
	}
	if ((msg_at(core, j->msg)->flags & CORE_SINGLE) != 0) {
		limit = 1;
	}
	for (uint32_t i = head; i != NIL && j->nrcpt < limit;) {
		const struct rcpt *r = rcpt_at(core, i);
		uint32_t next = list_next(
		    fq_at(core, leaf)->fifo[class], rcpt_kin(core), i);

		if (!fits(core, site, rcpt_at(core, head), r) ||
		    (r->attempts == 0 && fresh == quota)) {
			break;
		}
		fresh += r->attempts == 0;
		job_take(core, job, i);
		i = next;
	}
	tenant_use(core, j->tenant, fresh);
}

bool
schedule_next(struct core *core, struct core_out *out)
{
	while (core->running != NIL) {
		uint32_t ring = core->running;
		struct ring *r = ring_at(core, ring);
		uint32_t path = r->avail;
		uint32_t leaf, class, first, job;

		if (path != NIL && !passes(core, path)) {
			continue;
		}
		if (path == NIL || !share_pick(core, ring, &leaf, &class)) {
			ring_stop(core, ring);
			continue;
		}
		first = fq_at(core, leaf)->fifo[class];
		if (msg_at(core, rcpt_at(core, first)->msg)->expiry_s <=
		    core->now_s) {
			rcpt_unlink(core, first);
			rcpt_end(core, first, END_EXPIRED);
			return rcpt_next_ended(core, out);
		}
		core->running = link_at(run_kin(core), ring)->next;
		r->avail = link_at(path_kin(core), path)->next;
		job = job_new(core, rcpt_at(core, first)->msg, path);
		take(core, job, leaf, class);
		if (path_at(core, path)->may_open) {
			conn_open(core, path);
		}
		path_settle(core, path);
		fill(core, job, out);
		return true;
	}
	return false;
}
