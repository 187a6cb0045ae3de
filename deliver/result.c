#include "result.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "buf.h"
#include "deliver.h"
#include "log.h"
#include "path.h"
#include "route.h"
#include "service.h"

/* As mta_sts of ipc.def, and a NUL. */
#define STS_NOTE_SIZE 256

/* A result as it was sent, encoded. */
struct kept {
	STAILQ_ENTRY(kept) next;
	uint64_t seq;
	size_t len;
	uint8_t data[];
};

static struct {
	STAILQ_HEAD(, kept) list;
	size_t n;
	uint64_t last_seq;
	struct buf scratch;
} results = { .list = STAILQ_HEAD_INITIALIZER(results.list) };

uint64_t
result_last_seq(void)
{
	return results.last_seq;
}

size_t
results_pending(void)
{
	return results.n;
}

static void
keep(const struct ipc_result *m)
{
	const struct ipc_desc *d = ipc_desc(IPC_result);
	struct kept *k;

	bug_on(d == NULL);
	buf_clear(&results.scratch, 4096);
	/* Every text was cut to its limit, so this cannot be too long. */
	bug_on(rec_encode(&results.scratch, d->fields, m) < 0);
	k = mem_resize(NULL, sizeof(*k) + results.scratch.len);
	k->seq = m->seq;
	k->len = results.scratch.len;
	memcpy(k->data, results.scratch.p, k->len);
	STAILQ_INSERT_TAIL(&results.list, k, next);
	results.n++;
}

static void
send_result(struct ipc_result *m)
{
	struct peer *qmgr = service_peer(ROLE_QMGR, 0);

	m->seq = ++results.last_seq;
	keep(m);
	if (qmgr != NULL) {
		/* A qmgr that is gone gets it from result_resend. */
		(void)peer_send(qmgr, IPC_result, 0, m);
	}
}

static struct str
cut(struct str s, size_t max)
{
	return (struct str){ s.p, s.len < max ? s.len : max };
}

static void
set_tls(struct ipc_result *m, const struct facts_tls *t)
{
	m->tls_policy = str_of(t->policy);
	m->tls_source = str_of(t->source);
	m->tls_result = str_of(t->result);
	m->tls_proto = str_of(t->proto);
	m->tls_cipher = str_of(t->cipher);
	m->tls_cert_name = cut(str_of(t->cert_name), 255);
	m->tls_cert_fp = str_of(t->cert_fp);
	m->tls_verified = t->is_verified;
	m->tls_fallback = t->is_fallback;
}

/* What was wrong in the eyes of a domain's policy; NULL: nothing that is
 * known. Before a transaction has begun nothing is said about TLS: something
 * else was in the way. */
static const char *
sts_failure(const struct route_host *h, const struct facts *f)
{
	if (h != NULL && h->is_sts_refused) {
		return "the policy does not name the host";
	}
	if (f->conn_use == 0 || f->tls.is_verified) {
		return NULL;
	}
	if (f->tls.is_fallback) {
		return "TLS failed";
	}
	if (f->tls.proto[0] == '\0') {
		return "no STARTTLS";
	}
	return f->tls.verify_error;
}

/* The mode and id of the domain's MTA-STS policy, and what was wrong. */
static void
note_sts(const struct job *j, const struct facts *f, char *dst, size_t size)
{
	const struct route *r = j->route;
	const char *why;

	dst[0] = '\0';
	if (r == NULL || r->sts_mode == STS_NONE) {
		return;
	}
	why = sts_failure(route_find_host(r, f->dest_host, f->dest_port), f);
	(void)snprintf(dst, size, "%s id=%s%s%s",
	    r->sts_mode == STS_ENFORCE ? "enforce" : "testing", r->sts_id,
	    why != NULL ? ": " : "", why != NULL ? why : "");
	if (why != NULL && r->sts_mode == STS_TESTING) {
		log_info(
		    "mta-sts: %s: %s at %s", r->next_hop, dst, f->dest_host);
	}
}

static void
set_facts(struct ipc_result *m, const struct facts *f)
{
	m->source_ip = str_of(f->source_ip);
	m->source_port = f->source_port;
	m->source_name = cut(str_of(f->source_name), 255);
	m->dest_ip = str_of(f->dest_ip);
	m->dest_port = f->dest_port;
	m->dest_host = cut(str_of(f->dest_host), 255);
	m->mx_pref = f->pref;
	m->esmtp = cut(str_of(f->esmtp), 255);
	m->size = f->size > UINT32_MAX ? UINT32_MAX : (uint32_t)f->size;
	m->conn_use = f->conn_use;
	m->session_id = str_of(f->session_id);
	m->delays_dns_ms = f->times.dns_ms;
	m->delays_connect_ms = f->times.connect_ms;
	m->delays_tls_ms = f->times.tls_ms;
	m->delays_helo_ms = f->times.helo_ms;
	m->delays_mail_ms = f->times.mail_ms;
	m->delays_rcpt_ms = f->times.rcpt_ms;
	m->delays_data_ms = f->times.data_ms;
	set_tls(m, &f->tls);
}

static void
set_job(struct ipc_result *m, const struct job *j)
{
	m->job = j->id;
	m->msgid = j->msgid;
	m->tls_policy = str_of(j->policy.name);
	m->tls_source = str_of(j->policy.source);
	m->delays_dns_ms = j->dns_ms;
	if (j->path != NULL) {
		m->source_ip = cut(str_of(j->path->source_ip), 46);
		m->source_name = cut(str_of(j->path->source_name), 255);
		m->mx_site = cut(str_of(j->path->site), 255);
		m->provider = cut(str_of(j->path->provider), 255);
	}
}

static void
set_rcpt(struct ipc_result *m, const struct job_rcpt *r, struct str transcript)
{
	const struct verdict *v = &r->verdict;

	m->rcpt = r->ordinal;
	m->attempt = r->attempt;
	m->rcpt_to = cut(r->address, 1024);
	m->outcome = v->outcome;
	m->is_connect = v->is_connect;
	m->smtp_code = v->code;
	m->smtp_enh = str_of(v->enh);
	m->smtp_text = (struct str){ v->text, v->text_len };
	m->smtp_command = str_of(v->command);
	m->is_hard = v->is_hard;
	if (v->outcome != OUTCOME_DELIVERED) {
		m->class = str_of(reason_desc((enum reason)v->reason)->name);
		m->transcript = cut(transcript, 16384);
	}
}

void
result_job(struct job **jp, const struct facts *facts, struct str transcript)
{
	struct job *j = *jp;
	char sts[STS_NOTE_SIZE] = "";

	*jp = NULL;
	if (facts != NULL) {
		note_sts(j, facts, sts, sizeof(sts));
	}
	for (unsigned i = 0; i < j->n_rcpts; i++) {
		struct ipc_result m = { .mta_sts = str_of(sts) };

		bug_on(!j->rcpts[i].verdict.is_set);
		set_job(&m, j);
		if (facts != NULL) {
			set_facts(&m, facts);
		}
		set_rcpt(&m, &j->rcpts[i], transcript);
		m.is_last = i == j->n_rcpts - 1;
		send_result(&m);
	}
	path_release(j);
	job_free(&j);
}

void
result_job_all(struct job **j, const struct verdict *v,
    const struct facts *facts, struct str transcript)
{
	job_decide(*j, v);
	result_job(j, facts, transcript);
}

void
result_return(struct job **jp)
{
	struct job *j = *jp;

	*jp = NULL;
	for (unsigned i = 0; i < j->n_rcpts; i++) {
		struct ipc_result m = {
			.job = j->id,
			.msgid = j->msgid,
			.rcpt = j->rcpts[i].ordinal,
			.attempt = j->rcpts[i].attempt,
			.rcpt_to = cut(j->rcpts[i].address, 1024),
			.outcome = OUTCOME_RETURNED,
			.is_last = i == j->n_rcpts - 1,
		};

		send_result(&m);
	}
	path_release(j);
	job_free(&j);
}

void
result_ack(uint64_t seq)
{
	struct kept *k;

	while ((k = STAILQ_FIRST(&results.list)) != NULL && k->seq <= seq) {
		STAILQ_REMOVE_HEAD(&results.list, next);
		results.n--;
		free(k);
	}
	deliver_progress();
}

void
result_resend(struct peer *qmgr)
{
	const struct ipc_desc *d = ipc_desc(IPC_result);
	struct kept *k;

	bug_on(d == NULL);
	STAILQ_FOREACH(k, &results.list, next)
	{
		struct ipc_result m;

		bug_on(rec_decode(d->fields, REC_EXACT, k->data, k->len, &m,
			   sizeof(m)) < 0);
		if (peer_send(qmgr, IPC_result, 0, &m) < 0) {
			return; /* it is gone again */
		}
	}
}

void
results_fini(void)
{
	result_ack(UINT64_MAX);
	results.last_seq = 0;
	buf_fini(&results.scratch);
}
