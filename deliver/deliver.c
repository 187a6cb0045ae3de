#include "deliver.h"

#include "clock.h"
#include "job.h"
#include "log.h"
#include "passed_files.h"
#include "path.h"
#include "reach.h"
#include "result.h"
#include "route.h"
#include "service.h"
#include "session.h"
#include "tls.h"
#include "tls_broken.h"
#include "tls_table.h"
#include "verdict.h"

static bool is_draining;

bool
deliver_is_draining(void)
{
	return is_draining;
}

/* ---- jobs --------------------------------------------------------------- */

static const struct str no_transcript;

/* The route of a job is known. */
static void
on_route(struct job *j)
{
	struct verdict v = { 0 };

	if (j->route->status == DNS_OK) {
		path_add(j);
		return;
	}
	verdict_dns(&v, j->route->status, j->route->next_hop,
	    j->route->reason != NULL ? j->route->reason : "");
	result_job_all(&j, &v, NULL, no_transcript);
	verdict_fini(&v);
}

static void
on_job(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_job *m = msg;
	struct job *j = job_new(m);

	(void)p;
	(void)id;
	if (j == NULL) {
		log_error("job %llu of the queue manager names no recipients",
		    (unsigned long long)m->job);
		return;
	}
	path_assign(j, m);
	if (j->is_damaged) {
		result_job(&j, NULL, no_transcript);
	} else if (is_draining) {
		result_return(&j);
	} else if (route_assign(j)) {
		on_route(j);
	}
}

/* Gives back what is not begun. path 0: all; a null msgid: any. */
static void
return_jobs(uint32_t path, const struct uuid *msgid)
{
	struct job *j = TAILQ_FIRST(&jobs_all);

	while (j != NULL) {
		struct job *next = TAILQ_NEXT(j, all);

		if ((path == 0 || j->path->key == path) &&
		    (uuid_is_null(msgid) || uuid_eq(msgid, &j->msgid)) &&
		    path_withdraw(j)) {
			result_return(&j);
		}
		j = next;
	}
}

static void
on_job_cancel(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_job_cancel *m = msg;

	(void)p;
	(void)id;
	return_jobs(m->path, &m->msgid);
}

static void
on_conn_close(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_conn_close *m = msg;

	(void)p;
	(void)id;
	path_close_idle(m->path, m->count);
}

/* ---- files and results -------------------------------------------------- */

static void
on_file(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_file *m = msg;
	int fd = peer_take_fd(p);

	(void)id;
	if (fd < 0) {
		log_error("the queue manager sent file %016llx without it",
		    (unsigned long long)m->segid);
		return;
	}
	passed_files_add(m->segid, m->is_big != 0, fd);
}

static void
on_file_drop(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_file_drop *m = msg;

	(void)p;
	(void)id;
	passed_files_drop(m->segid, m->is_big != 0);
}

static void
on_result_ack(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_result_ack *m = msg;

	(void)p;
	(void)id;
	result_ack(m->seq);
}

const struct peer_handler deliver_handlers[] = {
	{ IPC_file, on_file },
	{ IPC_file_drop, on_file_drop },
	{ IPC_job, on_job },
	{ IPC_job_cancel, on_job_cancel },
	{ IPC_conn_close, on_conn_close },
	{ IPC_result_ack, on_result_ack },
	{ 0, NULL },
};

/* ---- a new queue manager ------------------------------------------------ */

static void
tell_running(struct peer *qmgr, const struct job *j)
{
	struct buf rcpts = { 0 };
	struct ipc_running m = {
		.job = j->id,
		.msgid = j->msgid,
		.site = str_of(j->path->site),
		.source_ip = str_of(j->path->source_ip),
	};

	for (unsigned i = 0; i < j->n_rcpts; i++) {
		buf_u16(&rcpts, j->rcpts[i].ordinal);
	}
	m.rcpts = buf_str(&rcpts);
	/* One that cannot be told is tried again by the new qmgr: a duplicate
	 * is possible then, a loss is not. */
	(void)peer_send(qmgr, IPC_running, 0, &m);
	buf_fini(&rcpts);
}

/* Jobs that are on their way already are given back. */
static void
tell_leaving(struct peer *qmgr)
{
	static const struct ipc_leaving m;

	(void)peer_send(qmgr, IPC_leaving, 0, &m);
}

static bool
is_read(void *arg, uint64_t segid, bool is_big)
{
	const struct job *j;

	(void)arg;
	TAILQ_FOREACH (j, &jobs_all, all) {
		if (is_big ? j->big_len > 0 && j->big_file == segid
			   : j->segid == segid) {
			return true;
		}
	}
	return false;
}

/*
 * What goes on is told before anything new comes, so that a restart of qmgr
 * repeats no delivery.
 */
static void
reconcile(struct peer *qmgr)
{
	struct ipc_reconciled m = { .last_seq = result_last_seq() };
	const struct job *j;

	if (is_draining) {
		tell_leaving(qmgr);
	}
	/* It passes files anew, but for those of the jobs that it takes over:
	 * the rest would keep removed segments on the disk. */
	passed_files_keep(is_read, NULL);
	paths_tell();
	TAILQ_FOREACH (j, &jobs_all, all) {
		tell_running(qmgr, j);
	}
	result_resend(qmgr);
	(void)peer_send(qmgr, IPC_reconciled, 0, &m);
}

void
deliver_peer_up(struct peer *p)
{
	if (peer_role(p) == ROLE_QMGR) {
		reconcile(p);
	}
}

/* ---- life --------------------------------------------------------------- */

void
deliver_init(void)
{
	verdict_init();
	tls_init();
	tls_table_init();
	reach_init();
	paths_init();
	route_init(on_route);
}

void
deliver_progress(void)
{
	/* Without a qmgr it waits for the next one: results that die with it
	 * are deliveries that are repeated. */
	if (is_draining && TAILQ_EMPTY(&jobs_all) && paths_sessions() == 0 &&
	    results_pending() == 0) {
		service_exit();
	}
}

void
deliver_drain(void)
{
	const struct uuid any = { { 0 } };
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);

	is_draining = true;
	if (qmgr != NULL) {
		tell_leaving(qmgr);
	}
	return_jobs(0, &any);
	paths_drain();
	deliver_progress();
}

static void
drop_jobs(void)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&jobs_all)) != NULL) {
		if (!path_withdraw(j)) {
			session_unbind(j->session);
		}
		path_release(j);
		job_free(&j);
	}
}

void
deliver_stop(void)
{
	is_draining = false;
	drop_jobs();
	paths_fini();
	route_fini();
	reach_fini();
	results_fini();
	passed_files_fini();
	tls_fini();
	tls_table_fini();
	tls_broken_fini();
	verdict_exit();
}
