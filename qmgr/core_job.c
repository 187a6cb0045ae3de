#include <errno.h>

#include "core_impl.h"

#define JOB_BITS 24 /* of an id, for its place in the slab */
#define UNTOLD -1   /* feedback of a job whose results said nothing */

/* Enters every limit that the job counts at; it leaves the same later. */
static void
enter_gates(struct core *core, struct job *j)
{
	const struct tenant *t = tenant_at(core, j->tenant);

	j->ngates = path_gates(core, path_at(core, j->path), j->gates);
	j->gates[j->ngates++] = t->gate;
	if (t->parent != j->tenant) {
		j->gates[j->ngates++] = tenant_at(core, t->parent)->gate;
	}
	j->warm_day = core->now_s / 86400;
	for (uint32_t k = 0; k < j->ngates; k++) {
		const struct gate *g = gate_at(core, j->gates[k]);

		gate_enter(core, j->gates[k]);
		if (g->level == GATE_WARM) {
			j->warm = g->owner;
		}
	}
}

uint32_t
job_new(struct core *core, uint32_t msg, uint32_t path)
{
	uint32_t i = slab_alloc(&core->jobs);
	struct job *j = job_at(core, i);
	struct path *p = path_at(core, path);
	struct ring *r = ring_at(core, p->ring);

	bug_on(i == NIL || i >> JOB_BITS != 0); /* windows bound them */
	j->id = ++core->job_count << JOB_BITS | i;
	j->msg = msg;
	j->path = path;
	j->tenant = flow_at(core, msg_at(core, msg)->flow)->tenant;
	j->fq = fq_account(core, p->ring, j->tenant);
	j->quota_hour = core->now_s / 3600;
	j->feedback = UNTOLD;
	enter_gates(core, j);
	p->inflight++;
	p->turns++;
	p->tickets = 0;
	r->inflight++;
	fq_at(core, j->fq)->inflight++;
	site_at(core, r->site)->used_us = core->now_us;
	return i;
}

void
job_take(struct core *core, uint32_t job, uint32_t rcpt)
{
	struct job *j = job_at(core, job);

	rcpt_unlink(core, rcpt);
	rcpt_state(core, rcpt, CORE_RCPT_INFLIGHT);
	rcpt_at(core, rcpt)->at = job;
	list_push(&j->rcpts, rcpt_kin(core), rcpt);
	j->nrcpt++;
	for (uint32_t k = 0; k < j->ngates; k++) {
		gate_take(core, j->gates[k]);
	}
}

static void
job_finish(struct core *core, uint32_t job)
{
	struct job *j = job_at(core, job);
	uint32_t path = j->path;
	uint32_t ring = path_at(core, path)->ring;

	for (uint32_t k = 0; k < j->ngates; k++) {
		gate_leave(core, j->gates[k]);
	}
	path_at(core, path)->inflight--;
	ring_at(core, ring)->inflight--;
	site_at(core, ring_at(core, ring)->site)->used_us = core->now_us;
	fq_at(core, j->fq)->inflight--;
	fq_settle(core, j->fq);
	if (j->feedback != UNTOLD) {
		path_feedback(core, path, (enum core_feedback)j->feedback);
	}
	path_at(core, path)->is_stuck = j->feedback == UNTOLD;
	path_at(core, path)->held_by = NIL;
	path_settle(core, path);
	for (uint32_t k = 0; k < j->ngates; k++) {
		conn_trim(core, j->gates[k]);
	}
	ring_wake(core, ring);
	slab_free(&core->jobs, job);
}

static uint32_t
job_find(const struct core *core, uint64_t id)
{
	uint32_t i = (uint32_t)(id & ((1u << JOB_BITS) - 1));

	return i != NIL && i < core->jobs.used && job_at(core, i)->id == id
	    ? i
	    : NIL;
}

/* ---- results
 * -------------------------------------------------------------------- */

/* The same for recipients of one message, so that they stay together; and
 * without a state, so that a replay is no different. */
static uint32_t
jitter(const struct core *core, const struct rcpt *r, uint32_t delay_s)
{
	const struct uuid *id = &msg_at(core, r->msg)->id;
	uint64_t span = (uint64_t)delay_s * core->conf.jitter_percent / 100;
	uint64_t h = hash_bytes(id, sizeof(*id), core->conf.seed ^ r->attempts);

	return (uint32_t)(delay_s - span + h % (2 * span + 1));
}

static uint32_t
retry_due(const struct core *core, const struct rcpt *r,
    const struct core_result *res)
{
	uint32_t expiry = msg_at(core, r->msg)->expiry_s;
	uint32_t delay_s = res->delay_s;
	uint64_t due;

	if (delay_s == 0) {
		bool is_own = res->retry_s != NULL && res->nretry > 0;
		uint32_t n = is_own ? res->nretry : core->conf.nretry;
		uint32_t step = r->attempts < n ? r->attempts : n;

		delay_s = jitter(core, r,
		    is_own ? res->retry_s[step - 1]
			   : core->conf.retry_s[step - 1]);
	}
	due = (uint64_t)core->now_s + delay_s;
	if (due > expiry) {
		due = expiry > core->now_s ? expiry : core->now_s;
	}
	return (uint32_t)due;
}

/* It lives on: as an administrator wanted meanwhile, or as due says. */
static void
live_on(struct core *core, uint32_t rcpt, struct core_verdict *v)
{
	struct rcpt *r = rcpt_at(core, rcpt);
	uint8_t flags = r->flags;

	r->flags = 0;
	if ((flags & RCPT_TO_DELETE) != 0) {
		v->fate = CORE_FATE_DELETED;
		rcpt_end(core, rcpt, END_DELETED);
	} else if ((flags & RCPT_TO_HOLD) != 0) {
		v->fate = CORE_FATE_HELD;
		rcpt_state(core, rcpt, CORE_RCPT_HELD);
	} else if (v->fate == CORE_FATE_RETRY || !core->is_started) {
		rcpt_retry(core, rcpt, v->due_s);
	} else {
		rcpt_return(core, rcpt);
	}
}

/* The recipient is in no list. */
static void
apply(struct core *core, uint32_t rcpt, const struct core_result *res,
    struct core_verdict *v)
{
	struct rcpt *r = rcpt_at(core, rcpt);

	*v = (struct core_verdict){ .attempts = r->attempts };
	if (res->outcome == OUTCOME_RETURNED) {
		v->fate = CORE_FATE_AGAIN;
		live_on(core, rcpt, v);
		return;
	}
	if (r->attempts < UINT16_MAX) {
		r->attempts++;
	}
	v->attempts = r->attempts;
	if (res->outcome == OUTCOME_DEFERRED ||
	    res->outcome == OUTCOME_UNCERTAIN) {
		v->fate = CORE_FATE_RETRY;
		v->due_s = retry_due(core, r, res);
		live_on(core, rcpt, v);
		return;
	}
	v->fate = CORE_FATE_FINAL;
	rcpt_free(core, rcpt);
}

static bool
says_something(const struct core_result *r)
{
	return r->outcome != OUTCOME_RETURNED && r->outcome != OUTCOME_DAMAGED;
}

static void
job_result(struct core *core, uint32_t job, uint32_t rcpt,
    const struct core_result *r, struct core_verdict *v)
{
	struct job *j = job_at(core, job);

	list_remove(&j->rcpts, rcpt_kin(core), rcpt);
	j->nrcpt--;
	if (says_something(r) && (int)r->feedback > j->feedback) {
		j->feedback = (int8_t)r->feedback;
	}
	if (r->outcome == OUTCOME_RETURNED &&
	    rcpt_at(core, rcpt)->attempts == 0) {
		tenant_unuse(core, j->tenant, j->quota_hour);
	}
	if (j->warm != NIL) {
		warm_answered(core, j->warm, j->warm_day);
	}
	apply(core, rcpt, r, v);
	if (j->nrcpt == 0) {
		job_finish(core, job);
	}
}

int
core_result(struct core *core, uint64_t id, uint16_t ordinal,
    const struct core_result *r, struct core_verdict *v)
{
	uint32_t job = job_find(core, id);
	uint32_t i = job == NIL ? NIL : job_at(core, job)->rcpts;

	while (i != NIL && rcpt_at(core, i)->ordinal != ordinal) {
		i = list_next(job_at(core, job)->rcpts, rcpt_kin(core), i);
	}
	if (i == NIL) {
		return -ENOENT;
	}
	/* Not when deliver died: nobody knows what it has tried. */
	if (r->outcome == OUTCOME_RETURNED && job_at(core, job)->warm != NIL) {
		warm_unuse(
		    core, job_at(core, job)->warm, job_at(core, job)->warm_day);
	}
	job_result(core, job, i, r, v);
	return 0;
}

int
core_job_return(struct core *core, uint64_t id)
{
	const struct core_result r = { .outcome = OUTCOME_RETURNED };
	uint32_t job = job_find(core, id);
	struct core_verdict v;

	if (job == NIL) {
		return -ENOENT;
	}
	for (uint32_t n = job_at(core, job)->nrcpt; n > 0; n--) {
		uint32_t last =
		    link_at(rcpt_kin(core), job_at(core, job)->rcpts)->prev;

		/* From the last on: each goes to the front of its queue. */
		job_result(core, job, last, &r, &v);
	}
	return 0;
}

int
core_result_late(struct core *core, uint32_t msg, uint16_t ordinal,
    const struct core_result *r, struct core_verdict *v)
{
	uint32_t i = rcpt_find(core, msg, ordinal);

	if (i == NIL) {
		return -ENOENT;
	}
	if (rcpt_at(core, i)->state == CORE_RCPT_INFLIGHT) {
		return -EBUSY;
	}
	if (rcpt_at(core, i)->state == CORE_RCPT_HELD) {
		rcpt_at(core, i)->flags |= RCPT_TO_HOLD;
	}
	rcpt_unlink(core, i);
	apply(core, i, r, v);
	return 0;
}

int
core_adopt(struct core *core, uint32_t msg, uint32_t site, uint32_t source,
    const uint16_t *ordinals, uint32_t n, uint64_t *id)
{
	uint32_t job = NIL;

	if (source >= CORE_SOURCES || core->sources[source].gate == NIL ||
	    site >= core->sites.used || site_at(core, site)->gate == NIL) {
		return -EINVAL;
	}
	for (uint32_t k = 0; k < n && k < CORE_JOB_RCPTS; k++) {
		uint32_t i = rcpt_find(core, msg, ordinals[k]);

		if (i == NIL || rcpt_at(core, i)->state == CORE_RCPT_INFLIGHT) {
			continue;
		}
		if (job == NIL) {
			uint32_t ring =
			    ring_get(core, site, core->sources[source].pool);

			job = job_new(core, msg, path_get(core, ring, source));
			/* Nobody knows in which hour it was counted. */
			job_at(core, job)->quota_hour = 0;
		}
		if (rcpt_at(core, i)->state == CORE_RCPT_HELD) {
			rcpt_at(core, i)->flags |= RCPT_TO_HOLD;
		}
		job_take(core, job, i);
	}
	if (job == NIL) {
		return -ENOENT;
	}
	path_settle(core, job_at(core, job)->path);
	*id = job_at(core, job)->id;
	return 0;
}
