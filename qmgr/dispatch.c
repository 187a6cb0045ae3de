/*
 * Jobs to deliver. A path's jobs go to one process, so that they can share
 * its connections.
 */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "conns.h"
#include "core_name.h"
#include "jobs.h"
#include "log.h"
#include "qmgr.h"
#include "return_path.h"
#include "routes.h"
#include "sources.h"
#include "tls_learn.h"

static bool
is_usable(const struct deliver *d)
{
	return d->peer != NULL && d->is_reconciled && !d->is_leaving;
}

bool
dispatch_is_possible(const struct qmgr *q)
{
	if (jobs_is_full(q->jobs)) {
		return false;
	}
	for (unsigned i = 0; i < q->n_delivers; i++) {
		if (is_usable(&q->delivers[i])) {
			return true;
		}
	}
	return false;
}

static unsigned
choose(const struct qmgr *q, uint32_t path)
{
	unsigned index = path % q->n_delivers;

	while (!is_usable(&q->delivers[index])) {
		index = (index + 1) % q->n_delivers;
	}
	return index;
}

/* bounces+TOKEN@domain. */
static int
return_path(struct qmgr *q, const struct core_out *o, const struct note *n,
    struct buf *out)
{
	struct return_path_token t = {
		.recipient = o->job.rcpts[0].ordinal,
		.accept_lsn = o->accept_lsn,
	};
	struct str domain = notes_name(q->notes, n->return_domain);
	char local[RETURN_PATH_LOCAL_LEN + 1];
	int r;

	memcpy(t.message_id, o->id.b, sizeof(t.message_id));
	r = return_path_make(q->return_key, &t, local);
	if (r < 0) {
		return r;
	}
	if (domain.len == 0) {
		domain = str_of(q->conf->bounce_domain);
	}
	buf_puts(out, local);
	buf_u8(out, '@');
	buf_add(out, domain.p, domain.len);
	return 0;
}

/* Appends MAIL FROM's address: nothing for the null sender. */
static int
mail_from(struct qmgr *q, const struct core_out *o, struct buf *out)
{
	const struct note *n = notes_at(q->notes, o->msg);
	struct buf record = { 0 };
	struct event_accepted e;
	int r;

	if (n->flags & NOTE_NULL) {
		return 0;
	}
	if (!(n->flags & NOTE_PLAIN)) {
		return return_path(q, o, n, out);
	}
	r = accepted_reread(q, &o->place, &record, &e);
	if (r == 0) {
		buf_add(out, e.sender.p, e.sender.len);
	}
	buf_fini(&record);
	return r;
}

/* The route of the mail, unless it goes to the domain's own servers. */
static const struct routes_entry *
route_of(const struct qmgr *q, uint32_t site, struct str domain)
{
	const struct routes_entry *e;

	if (q->relay_site != CORE_NONE && site == q->relay_site) {
		return routes_relayhost(q->routes);
	}
	e = routes_find(q->routes, domain);
	return e != NULL && e->kind == ROUTES_HOP ? e : NULL;
}

/*
 * A password is worth a certificate that is verified, unless the
 * administrator says less for the route or in smtp_tls_policy.
 */
static void
set_route(struct ipc_job *m, const struct routes_entry *e)
{
	m->is_fixed = 1;
	m->auth_user = str_of(e->user);
	m->auth_password = str_of(e->password);
	if (e->tls[0] != '\0') {
		m->tls_policy = str_of(e->tls);
	} else if (e->user[0] != '\0') {
		m->tls_policy = STR("verify");
	}
}

void
dispatch_hop(
    struct qmgr *q, uint32_t site, struct str domain, struct ipc_job *m)
{
	const struct routes_entry *route = route_of(q, site, domain);

	m->next_hop = route != NULL ? str_of(route->hop) : domain;
	m->site = core_site_name(q->core, site);
	m->tls_policy = tls_learn_word(q, m->site);
	if (route != NULL) {
		set_route(m, route);
	}
}

static void
send_job(struct qmgr *q, const struct core_out *o, const struct job *job,
    struct str from)
{
	const struct core_job *j = &o->job;
	struct buf rcpts = { 0 };
	struct ipc_job m = {
		.job = job->id,
		.path = j->path,
		.conn_limit = j->conn_limit,
		.conn_messages = j->conn_messages,
		.conn_seconds = j->conn_seconds,
		.may_open = j->may_open,
		.open_ms = j->open_ms,
		.is_counted = j->is_counted,
		.start_ms = j->start_ms,
		.source_ip = sources_ip(q, j->source),
		.source_name = sources_name(q, j->source),
		.msgid = o->id,
		.segid = o->place.segid,
		.rec_off = o->place.rec_off,
		.rec_len = o->place.rec_len,
		.content_off = o->place.content_off,
		.content_len = o->place.content_len,
		.content_crc = o->place.content_crc,
		.mail_from = from,
	};

	if (j->provider != CORE_NONE) {
		m.provider = core_provider_name(q->core, j->provider);
	}
	dispatch_hop(q, j->site, core_domain_name(q->core, j->domain), &m);
	for (uint32_t i = 0; i < j->nrcpt; i++) {
		buf_u16(&rcpts, j->rcpts[i].ordinal);
		buf_u32(&rcpts, j->rcpts[i].attempt);
	}
	m.rcpts = buf_str(&rcpts);
	if (j->may_open) {
		conns_allowed(q, job->deliver, j->path);
	}
	/* A process that is gone by now gives its jobs back by being gone. */
	(void)peer_send(q->delivers[job->deliver].peer, IPC_job, 0, &m);
	buf_fini(&rcpts);
}

static struct job *
enter_job(struct qmgr *q, const struct core_out *o)
{
	struct job *job = jobs_add(q->jobs);

	job->core = o->job.id;
	job->msgid = o->id;
	job->accept_lsn = o->accept_lsn;
	job->msg = o->msg;
	job->account = o->account;
	job->subaccount = o->subaccount;
	job->path = o->job.path;
	job->sent_us = clock_mono_us();
	job->left = o->job.nrcpt;
	job->deliver = (uint8_t)choose(q, o->job.path);
	return job;
}

/* The job is not sent: every recipient gets a result made here. */
static void
end_job(struct qmgr *q, const struct core_out *o, struct job *job,
    enum outcome outcome, const char *text)
{
	/* The core's list is gone with the first result. */
	struct core_job_rcpt *rcpts =
	    mem_dup(o->job.rcpts, o->job.nrcpt * sizeof(*rcpts));
	uint32_t n = o->job.nrcpt;
	const struct core_conns unopened = { .open = -1, .usable = -1 };

	if (o->job.may_open) {
		core_conns_changed(q->core, o->job.path, &unopened);
	}
	for (uint32_t i = 0; i < n; i++) {
		outcome_local(
		    q, job, rcpts[i].ordinal, rcpts[i].attempt, outcome, text);
	}
	free(rcpts);
}

static void
fail_job(struct qmgr *q, const struct core_out *o, struct job *job, int error)
{
	bool is_lost = error == -ENOENT || error == -EBADMSG;

	end_job(q, o, job, is_lost ? OUTCOME_DAMAGED : OUTCOME_DEFERRED,
	    is_lost ? "the stored message cannot be read" : strerror(-error));
}

/* No address may send it: it waits for one like for a server. */
static bool
is_for_nobody(struct qmgr *q, const struct core_out *o, struct job *job)
{
	struct buf reason = { 0 };
	bool is_so = sources_is_nobody(q, o->job.source, &reason);

	if (is_so) {
		buf_u8(&reason, 0);
		end_job(q, o, job, OUTCOME_DEFERRED, (const char *)reason.p);
	}
	buf_fini(&reason);
	return is_so;
}

void
dispatch_job(struct qmgr *q, const struct core_out *o)
{
	struct job *job = enter_job(q, o);
	struct seg *g = segs_find(q->segs, o->place.segid);
	uint64_t big = notes_big(q->notes, o->msg);
	struct buf from = { 0 };
	int r;

	bug_on(g == NULL);
	if (is_for_nobody(q, o, job)) {
		return;
	}
	r = mail_from(q, o, &from);
	if (r == 0) {
		r = files_to_deliver(q, job->deliver, g, big);
	}
	if (r == 0) {
		job->segid = g->segid;
		job->big = big;
		job->has_files = true;
		send_job(q, o, job, buf_str(&from));
	} else {
		fail_job(q, o, job, r);
	}
	buf_fini(&from);
}

void
dispatch_finish(struct qmgr *q, struct job *job)
{
	bool was_full = jobs_is_full(q->jobs);
	struct job was = *job;

	jobs_drop(q->jobs, job);
	if (was.has_files) {
		files_done(q, was.segid, was.big);
	}
	if (was_full) {
		turn_wanted(q);
	}
}

void
dispatch_cancel(struct qmgr *q, const struct core_out *o)
{
	struct ipc_job_cancel m = { 0 };

	if (o->path != CORE_NONE) {
		m.path = o->path;
	} else {
		m.msgid = o->id;
	}
	for (unsigned i = 0; i < q->n_delivers; i++) {
		if (q->delivers[i].peer != NULL) {
			(void)peer_send(
			    q->delivers[i].peer, IPC_job_cancel, 0, &m);
		}
	}
}

void
dispatch_lost(struct qmgr *q, unsigned index)
{
	uint32_t at = 0;
	uint32_t n = 0;
	struct job *job;

	while ((job = jobs_next(q->jobs, &at)) != NULL) {
		if (job->deliver == index && !job->is_known) {
			(void)core_job_return(q->core, job->core);
			dispatch_finish(q, job);
			n++;
		}
	}
	if (n != 0) {
		log_warn("deliver %u is gone with %u jobs, which are given "
			 "out again",
		    index, n);
	}
	turn_wanted(q);
}
