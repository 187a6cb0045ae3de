/*
 * What can be said about a message before its transaction begins: whether the
 * server offers what it needs, and whether its addresses can be written.
 */
#include "esmtp.h"
#include "event.h"
#include "session.h"

static void
decide_all(struct job *j, enum reason reason, const char *enh, const char *text)
{
	struct verdict v = { 0 };

	verdict_local(&v, OUTCOME_FAILED, reason, enh, "%s", text);
	job_decide(j, &v);
	verdict_fini(&v);
}

static void
decide_unwritable(struct session *s)
{
	struct job *j = s->job;
	char line[ESMTP_LINE_MAX];

	for (unsigned i = 0; i < j->n_rcpts; i++) {
		struct job_rcpt *r = &j->rcpts[i];
		const struct esmtp_rcpt m = { r->address, r->notify, r->orcpt };

		if (!r->verdict.is_set && esmtp_rcpt(line, &m, &s->ehlo) < 0) {
			verdict_local(&r->verdict, OUTCOME_FAILED,
			    REASON_BAD_MAILBOX, "5.1.3",
			    "the recipient's address cannot be written");
		}
	}
}

static bool
is_sender_writable(const struct session *s)
{
	char line[ESMTP_LINE_MAX];
	const struct esmtp_mail m = {
		.sender = s->job->mail_from,
		.env_id = s->job->env_id,
		.ret = s->job->ret,
		.flags = s->job->flags,
	};

	return esmtp_mail(line, &m, &s->ehlo) >= 0;
}

/* RFC 9422 section 4.2: recipients beyond the server's limit go later. */
static void
return_excess(struct session *s)
{
	struct job *j = s->job;
	uint64_t n = 0;

	for (unsigned i = 0; s->ehlo.rcpt_max > 0 && i < j->n_rcpts; i++) {
		struct verdict *v = &j->rcpts[i].verdict;

		if (!v->is_set && ++n > s->ehlo.rcpt_max) {
			verdict_local(v, OUTCOME_RETURNED, REASON_TOO_MANY_RCPT,
			    "4.5.3",
			    "the server takes fewer recipients at a time");
		}
	}
}

/* RFC 6531 section 3.5: there is no way to send it without the extension. */
static void
decide_utf8(struct session *s)
{
	struct job *j = s->job;
	bool is_needed =
	    (j->flags & MESSAGE_UTF8) != 0 || esmtp_is_utf8(j->mail_from);

	if ((s->ehlo.caps & EHLO_SMTPUTF8) != 0) {
		return;
	}
	for (unsigned i = 0; i < j->n_rcpts; i++) {
		struct job_rcpt *r = &j->rcpts[i];

		if (!r->verdict.is_set &&
		    (is_needed || esmtp_is_utf8(r->address))) {
			verdict_local(&r->verdict, OUTCOME_FAILED,
			    REASON_CONTENT, "5.6.7",
			    "SMTPUTF8 is required, but %s does not offer it",
			    session_peer(s));
			r->verdict.code = 550;
		}
	}
}

/*
 * RFC 8689 section 4.2.1: a certificate proves little when anybody may have
 * named the host. DNSSEC, the domain's policy or the administrator did.
 */
static bool
is_host_known(const struct session *s)
{
	const struct route *r = s->job->route;
	const struct route_host *h =
	    route_find_host(r, s->facts.dest_host, s->facts.dest_port);

	return r->is_fixed || r->is_secure ||
	    (h != NULL && route_sts(r, h) == TLS_STS_NAMED);
}

/* Section 5: reports go where neither is the case, too. */
static void
decide_requiretls(struct session *s)
{
	if ((s->job->flags & MESSAGE_REQUIRETLS) == 0 ||
	    s->job->mail_from.len == 0) {
		return;
	}
	if ((s->ehlo.caps & EHLO_REQUIRETLS) == 0) {
		decide_all(s->job, REASON_TLS, "5.7.30",
		    "REQUIRETLS is needed, but the server does not offer it");
	} else if (!is_host_known(s)) {
		decide_all(s->job, REASON_TLS, "5.7.30",
		    "REQUIRETLS is needed, but neither DNSSEC nor MTA-STS "
		    "proves that this is the domain's host");
	}
}

bool
client_check(struct session *s)
{
	struct job *j = s->job;

	if (!is_sender_writable(s)) {
		decide_all(j, REASON_SENDER, "5.1.7",
		    "the sender's address cannot be written");
	}
	if (s->ehlo.size > 0 && job_size(j) > s->ehlo.size) {
		decide_all(j, REASON_TOO_LARGE, "5.3.4",
		    "the message is larger than the server takes (SIZE)");
	}
	decide_requiretls(s);
	decide_utf8(s);
	decide_unwritable(s);
	return_excess(s);
	return job_next_rcpt(j) != NULL;
}
