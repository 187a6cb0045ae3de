/*
 * Who is at the other end of the channels, and what each may say.
 */

#include "conns.h"
#include "core_name.h"
#include "dsn_due.h"
#include "log.h"
#include "map.h"
#include "qmgr.h"
#include "reports.h"
#include "sources.h"

/* A deliver process whose channel broke may have a new one soon. */
#define GONE_US (10 * US_PER_S)

static void
on_gone(void *arg)
{
	struct deliver *d = arg;

	conns_lost(qmgr_self(), (unsigned)(d - qmgr_self()->delivers));
	dispatch_lost(qmgr_self(), (unsigned)(d - qmgr_self()->delivers));
}

static void
deliver_up(struct qmgr *q, struct peer *p)
{
	unsigned index = peer_index(p);
	struct deliver *d;

	if (index >= QMGR_DELIVERS) {
		log_error("deliver %u: too many processes", index);
		return;
	}
	if (index >= q->n_delivers) {
		q->n_delivers = index + 1;
	}
	d = &q->delivers[index];
	*d = (struct deliver){ .peer = p,
		.gone = d->gone,
		.conns = d->conns,
		.channel = d->channel };
	conns_begin(q, index);
	if (d->gone == NULL) {
		d->gone = loop_timer_new(on_gone, d);
	}
	files_forget_deliver(q, index);
}

static void
deliver_down(struct qmgr *q, struct peer *p)
{
	struct deliver *d;

	if (peer_index(p) >= QMGR_DELIVERS) {
		return;
	}
	d = &q->delivers[peer_index(p)];
	if (d->peer != p) {
		return; /* a newer channel is there already */
	}
	d->peer = NULL;
	d->is_reconciled = false;
	conns_down(q, peer_index(p));
	loop_timer_arm(d->gone, GONE_US);
}

static void
bouncer_down(struct qmgr *q)
{
	q->bouncer = NULL;
	files_forget_bouncer(q);
	reports_bouncer_down(q);
	dsn_bouncer_down(q);
}

static void
bouncer_up(struct qmgr *q, struct peer *p)
{
	if (q->bouncer != NULL) {
		bouncer_down(q);
	}
	q->bouncer = p;
	reports_bouncer_up(q);
	dsn_bouncer_up(q);
}

void
peers_up(struct qmgr *q, struct peer *p)
{
	bug_on(q->n_peers == QMGR_PEERS);
	q->peers[q->n_peers++] = p;
	switch (peer_role(p)) {
	case ROLE_DELIVER:
		deliver_up(q, p);
		break;
	case ROLE_BOUNCER:
		bouncer_up(q, p);
		break;
	case ROLE_RESOLVD:
		q->resolvd = p;
		core_resolve_again(q->core, CORE_NONE);
		break;
	case ROLE_SMTPD:
		pressure_tell(q, p);
		break;
	case ROLE_ACCOUNTD:
		sources_begin(q);
		readers_up(q, p);
		break;
	case ROLE_WEBHOOKD:
		readers_up(q, p);
		break;
	default:
		break;
	}
	turn_wanted(q);
}

void
peers_down(struct qmgr *q, struct peer *p)
{
	for (unsigned i = 0; i < q->n_peers; i++) {
		if (q->peers[i] == p) {
			q->peers[i] = q->peers[--q->n_peers];
			break;
		}
	}
	switch (peer_role(p)) {
	case ROLE_DELIVER:
		deliver_down(q, p);
		break;
	case ROLE_BOUNCER:
		if (q->bouncer == p) {
			bouncer_down(q);
		}
		intake_orphan(q, p);
		break;
	case ROLE_SMTPD:
		intake_orphan(q, p);
		break;
	case ROLE_RESOLVD:
		if (q->resolvd == p) {
			q->resolvd = NULL;
		}
		break;
	default:
		break;
	}
}

void
peers_tell(struct qmgr *q, unsigned roles, enum ipc_type type, const void *m)
{
	for (unsigned i = 0; i < q->n_peers; i++) {
		if (peer_role(q->peers[i]) & roles) {
			/* One that is going down asks again when it is back. */
			(void)peer_send(q->peers[i], type, 0, m);
		}
	}
}

void
peers_fini(struct qmgr *q)
{
	for (unsigned i = 0; i < q->n_delivers; i++) {
		loop_timer_free(&q->delivers[i].gone);
		map_free(&q->delivers[i].conns, free);
	}
	loop_timer_free(&q->reconcile_timer);
}

/* ---- messages ----------------------------------------------------------- */

static void
on_durable(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	intake_durable(qmgr_self(), p, m);
}

static bool
is_deliver(const struct peer *p)
{
	return peer_index(p) < QMGR_DELIVERS;
}

/* Not one whose place another process has taken: what that one did is over,
 * and its word must not count for the new one. */
static bool
is_current_deliver(const struct qmgr *q, const struct peer *p)
{
	return is_deliver(p) && q->delivers[peer_index(p)].peer == p;
}

static void
on_result(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	if (is_deliver(p)) {
		outcome_result(qmgr_self(), p, m);
	}
}

static void
on_path_conns(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	if (is_current_deliver(qmgr_self(), p)) {
		conns_told(qmgr_self(), peer_index(p), m);
	}
}

static void
on_running(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	if (is_current_deliver(qmgr_self(), p)) {
		reconcile_running(qmgr_self(), p, m);
	}
}

static void
on_leaving(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	(void)m;
	if (is_current_deliver(qmgr_self(), p)) {
		qmgr_self()->delivers[peer_index(p)].is_leaving = true;
	}
}

static void
on_reconciled(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	if (is_current_deliver(qmgr_self(), p)) {
		reconcile_done(qmgr_self(), p, m);
	}
}

static void
on_report_fact(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	reports_fact(qmgr_self(), m);
}

static void
on_owner_req(struct peer *p, uint32_t id, const void *m)
{
	struct ipc_owner_rep rep;

	reports_owner(m, &rep);
	(void)peer_send(p, IPC_owner_rep, id, &rep);
}

static void
on_report_done(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	reports_done(qmgr_self(), m);
}

static void
on_dsn_done(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	dsn_done(qmgr_self(), m);
}

static void
on_journal_want(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	readers_want(qmgr_self(), p, m);
}

static void
on_event_write(struct peer *p, uint32_t id, const void *m)
{
	(void)id;
	readers_event(qmgr_self(), p, m);
}

static void
on_tenant(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	tenants_set(qmgr_self(), m);
}

static void
on_tenants_end(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	(void)m;
	tenants_end(qmgr_self());
}

static void
on_return_key(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	tenants_key(qmgr_self(), m);
}

static void
on_source(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	sources_set(qmgr_self(), m);
}

static void
on_source_plan(struct peer *p, uint32_t id, const void *m)
{
	(void)p;
	(void)id;
	sources_plan(qmgr_self(), m);
}

const struct peer_handler qmgr_handlers[] = {
	{ IPC_durable, on_durable },
	{ IPC_result, on_result },
	{ IPC_path_conns, on_path_conns },
	{ IPC_running, on_running },
	{ IPC_leaving, on_leaving },
	{ IPC_reconciled, on_reconciled },
	{ IPC_report_fact, on_report_fact },
	{ IPC_report_done, on_report_done },
	{ IPC_owner_req, on_owner_req },
	{ IPC_dsn_done, on_dsn_done },
	{ IPC_journal_want, on_journal_want },
	{ IPC_event_write, on_event_write },
	{ IPC_tenant, on_tenant },
	{ IPC_tenants_end, on_tenants_end },
	{ IPC_return_key, on_return_key },
	{ IPC_source, on_source },
	{ IPC_source_plan, on_source_plan },
	{ 0, NULL },
};
