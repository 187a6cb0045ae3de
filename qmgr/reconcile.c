/*
 * After a start, or when the channel to a deliver process is a new one: what
 * runs there already is taken over, and nothing is given out before every
 * process has said what it does. So killing qmgr repeats no delivery.
 */
#include <inttypes.h>
#include <string.h>

#include "conns.h"
#include "core_limits.h"
#include "core_name.h"
#include "core_view.h"
#include "jobs.h"
#include "log.h"
#include "paths.h"
#include "qmgr.h"
#include "sources.h"

#define DEADLINE_US (2 * US_PER_S)

static bool
is_complete(const struct qmgr *q)
{
	if (!q->has_tenants || !q->has_return_key) {
		return false;
	}
	for (unsigned i = 0; i < q->n_delivers; i++) {
		if (q->delivers[i].peer != NULL &&
		    !q->delivers[i].is_reconciled) {
			return false;
		}
	}
	return q->n_delivers != 0;
}

static void
begin_work(struct qmgr *q)
{
	if (!q->is_reconciling) {
		return;
	}
	q->is_reconciling = false;
	loop_timer_stop(q->reconcile_timer);
	q->is_orphan_turn = true; /* segments that nobody has announced */
	intake_wanted(q);
	turn_wanted(q);
}

static void
on_deadline(void *arg)
{
	struct qmgr *q = arg;

	for (unsigned i = 0; i < q->n_delivers; i++) {
		struct deliver *d = &q->delivers[i];

		if (d->peer != NULL && !d->is_reconciled) {
			log_warn("deliver %u does not say what it does; "
				 "nothing is given to it until it does",
			    i);
		}
	}
	if (!q->has_return_key || !q->has_tenants) {
		log_warn("deliveries wait for accountd");
	}
	begin_work(q);
}

void
reconcile_begin(struct qmgr *q)
{
	q->is_reconciling = true;
	q->reconcile_timer = loop_timer_new(on_deadline, q);
	loop_timer_arm(q->reconcile_timer, DEADLINE_US);
}

void
reconcile_check(struct qmgr *q)
{
	if (q->is_reconciling && is_complete(q)) {
		begin_work(q);
	}
	turn_wanted(q);
}

/* The ordinals of a running message. */
static uint32_t
read_ordinals(struct str blob, uint16_t *out, uint32_t max)
{
	uint32_t n = 0;

	while (blob.len >= 2 && n < max) {
		memcpy(&out[n++], blob.p, 2);
		blob.p += 2;
		blob.len -= 2;
	}
	return n;
}

static void
adopt(struct qmgr *q, unsigned index, const struct ipc_running *m, uint32_t msg)
{
	uint16_t ordinals[CORE_JOB_RCPTS];
	uint32_t n = read_ordinals(m->rcpts, ordinals, CORE_JOB_RCPTS);
	uint32_t site = paths_site(q, m->site);
	uint32_t source = paths_source_at(q, m->source_ip);
	struct core_message message;
	struct seg *g;
	struct job *job;
	uint64_t core_job;
	uint32_t nrcpt;

	if (core_message_get(q->core, msg, &message, &nrcpt) < 0 ||
	    jobs_is_full(q->jobs) ||
	    core_adopt(q->core, msg, site, source, ordinals, n, &core_job) <
		0) {
		return; /* its results will be late ones */
	}
	core_warm_any(q->core, site, n);
	job = jobs_adopt(q->jobs, m->job);
	job->core = core_job;
	job->msgid = m->msgid;
	job->accept_lsn = message.accept_lsn;
	job->msg = msg;
	job->account = message.account;
	job->subaccount = message.subaccount;
	job->path = core_path_named(q->core, site, source);
	job->left = n;
	job->deliver = (uint8_t)index;
	job->is_known = true;
	g = segs_find(q->segs, message.place.segid);
	if (g != NULL) {
		/* The process has the file, from the qmgr before. */
		g->delivers |= 1ULL << index;
		g->jobs++;
		job->segid = g->segid;
		job->has_files = true;
	}
}

void
reconcile_running(struct qmgr *q, struct peer *p, const struct ipc_running *m)
{
	unsigned index = peer_index(p);
	struct job *job = jobs_find(q->jobs, m->job);
	uint32_t msg;

	if (job != NULL && uuid_eq(&job->msgid, &m->msgid)) {
		job->is_known = true;
		return;
	}
	msg = core_find(q->core, &m->msgid);
	if (msg != CORE_NONE) {
		adopt(q, index, m, msg);
	}
}

void
reconcile_done(struct qmgr *q, struct peer *p, const struct ipc_reconciled *m)
{
	unsigned index = peer_index(p);
	struct deliver *d = &q->delivers[index];
	uint32_t at = 0;
	struct job *job;

	(void)m;
	d->is_reconciled = true;
	if (d->gone != NULL) {
		loop_timer_stop(d->gone);
	}
	/* What it had before and has not named is lost with the process. */
	conns_settled(q, index);
	dispatch_lost(q, index);
	while ((job = jobs_next(q->jobs, &at)) != NULL) {
		if (job->deliver == index) {
			job->is_known = false; /* for the next channel */
		}
	}
	reconcile_check(q);
}
