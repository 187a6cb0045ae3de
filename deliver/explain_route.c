#include "explain_route.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sysexits.h>

#include "explain.h"
#include "ipc.h"
#include "outcome.h"
#include "route.h"
#include "service.h"
#include "session.h"
#include "tls_broken.h"
#include "tls_table.h"

#define BY_SIZE 640

/* A tool that waits for a route. */
struct question {
	TAILQ_ENTRY(question) link;
	struct route_watch watch;
	struct tool *t;
};

static TAILQ_HEAD(, question) questions = TAILQ_HEAD_INITIALIZER(questions);

static void
question_free(struct question *q)
{
	TAILQ_REMOVE(&questions, q, link);
	route_unwatch(&q->watch);
	free(q);
}

/* ---- what is said --------------------------------------------------------
 */

/* The part of a job that decides about hosts and TLS. */
static struct ipc_job
job_of(const struct tool *t)
{
	return (struct ipc_job){
		.next_hop = str_of(explain_fact(t, "next_hop")),
		.site = str_of(explain_fact(t, "site")),
		.tls_policy = str_of(explain_fact(t, "tls_policy")),
		.auth_user = str_of(explain_fact(t, "auth_user")),
		.source_ip = str_of(explain_fact(t, "source")),
	};
}

static void
put_failure(struct tool *t, const struct route *r)
{
	struct verdict v = { 0 };

	verdict_dns(
	    &v, r->status, r->next_hop, r->reason != NULL ? r->reason : "");
	explain_put(t,
	    &(struct explain){ .decision = "host",
		.outcome =
		    v.outcome == OUTCOME_FAILED ? EXPLAIN_STOP : EXPLAIN_WAIT,
		.by = "DNS; smtp_address_policy, smtpd_listen",
		.details = json_pack("{s:s}", "enhanced", v.enh) },
	    "%s", v.text);
	verdict_fini(&v);
}

static const char *
table_by(const struct ipc_job *m, char *dst)
{
	struct str level = tls_table_find(m->next_hop, m->site);

	if (level.len != 0) {
		(void)snprintf(dst, BY_SIZE, "smtp_tls_policy = %s: %.*s",
		    conf()->smtp_tls_policy, STR_ARG(level));
	} else {
		(void)snprintf(dst, BY_SIZE,
		    "routes.cf: tls or AUTH of the route: %.*s",
		    STR_ARG(m->tls_policy));
	}
	return dst;
}

static const char *
dane_by(const struct route_host *h, char *dst)
{
	const char *at = h->tlsa_name[0] != '\0' ? h->tlsa_name : h->name;

	switch (h->tlsa_state) {
	case TLSA_USABLE:
		(void)snprintf(dst, BY_SIZE,
		    "DANE: %u validated TLSA records of %s", h->n_tlsa, at);
		break;
	case TLSA_UNUSABLE:
		(void)snprintf(dst, BY_SIZE,
		    "DANE: %s has validated TLSA records, none of use", at);
		break;
	case TLSA_UNKNOWN:
		(void)snprintf(dst, BY_SIZE,
		    "DANE: the TLSA records of %s cannot be looked up", at);
		break;
	case TLSA_NONE:
		dst[0] = '\0';
		break;
	}
	return dst;
}

/* What decided, with its evidence. */
static const char *
tls_by(const struct ipc_job *m, const struct route *r,
    const struct route_host *h, const struct tls_policy *need, char *dst)
{
	const char *source = need->source;

	if (strcmp(source, "smtps") == 0) {
		(void)snprintf(dst, BY_SIZE, "routes.cf: smtps: of the route");
		return dst;
	}
	if (strcmp(source, "table") == 0) {
		return table_by(m, dst);
	}
	if (strcmp(source, "dane") == 0) {
		return dane_by(h, dst);
	}
	if (strcmp(source, "learned") == 0) {
		(void)snprintf(dst, BY_SIZE,
		    "proof of its TLS: pbtls why '%.*s'", STR_ARG(m->site));
	} else if (strcmp(source, "sts") == 0) {
		(void)snprintf(dst, BY_SIZE,
		    "MTA-STS policy %s of %s: mode enforce", r->sts_id,
		    r->next_hop);
	} else if (strcmp(source, "auth") == 0) {
		(void)snprintf(dst, BY_SIZE, "AUTH of the route (RFC 4954)");
	} else {
		(void)snprintf(dst, BY_SIZE, "smtp_tls_level = %s",
		    conf()->smtp_tls_level);
	}
	return dst;
}

static const char *
level_text(const struct tls_policy *need, bool is_broken)
{
	switch (need->level) {
	case TLS_NONE:
		return "in clear";
	case TLS_MAY:
		return is_broken ? "in clear for now: its TLS has failed "
				   "(smtp_tls_broken_time)"
				 : "TLS when it is offered, else in clear";
	case TLS_ENCRYPT:
		return "TLS required, with any certificate";
	case TLS_VERIFY:
		return "TLS required, with a verified certificate";
	case TLS_DANE:
		return "TLS required, with a certificate that TLSA records "
		       "name";
	case TLS_LEAVE:
		return "left alone for now";
	}
	return "";
}

static json_t *
evidence(const struct route *r, const struct route_host *h,
    const struct tls_policy *need)
{
	static const char *const tlsa[] = {
		[TLSA_NONE] = "none",
		[TLSA_UNUSABLE] = "unusable",
		[TLSA_USABLE] = "usable",
		[TLSA_UNKNOWN] = "unknown",
	};
	static const char *const sts[] = {
		[STS_NONE] = "none",
		[STS_TESTING] = "testing",
		[STS_ENFORCE] = "enforce",
	};

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "host", h->name,
	    "policy", need->name, "source", need->source, "tlsa",
	    tlsa[h->tlsa_state], "mta_sts", sts[r->sts_mode], "mta_sts_id",
	    r->sts_id);
}

static const char *
hosts_by(const struct route *r)
{
	struct plan_address a;
	uint16_t port;

	if (route_parse(str_of(r->next_hop), &port, &a) == 0) {
		return "the address of the next hop";
	}
	return "DNS; smtp_address_preference, smtp_mx_address_limit";
}

static void
put_host(struct tool *t, const struct route *r, const struct target *at,
    unsigned n, const char *source)
{
	const struct route_host *h = &r->hosts[at->host];
	char ip[46];

	plan_address_print(&h->addresses[at->address], ip);
	explain_put(t,
	    &(struct explain){ .decision = "host",
		.by = hosts_by(r),
		.details = json_pack("{s:i, s:s, s:s, s:i, s:i, s:s}", "order",
		    (int)n, "host", h->name, "address", ip, "port",
		    (int)route_port(r), "preference", (int)h->pref,
		    "source_address", source) },
	    "%u. %s[%s]:%u, preference %u", n, h->name, ip, route_port(r),
	    h->pref);
}

/* The TLS of each host that is tried, once. */
static void
put_tls(struct tool *t, const struct ipc_job *m, const struct route *r,
    const struct target *targets, unsigned n)
{
	const struct tls_policy p = job_policy(m, 0);
	bool is_told[PLAN_HOSTS_MAX] = { false };
	struct tls_policy need[PLAN_HOSTS_MAX];
	bool is_any = false;
	char by[BY_SIZE];

	for (unsigned i = 0; i < n; i++) {
		const struct route_host *h = &r->hosts[targets[i].host];

		need[targets[i].host] =
		    tls_policy_at_host(&p, h->tlsa_state, route_sts(r, h));
		is_any = is_any || need[targets[i].host].level != TLS_LEAVE;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned k = targets[i].host;
		const struct route_host *h = &r->hosts[k];

		if (is_told[k]) {
			continue;
		}
		is_told[k] = true;
		explain_put(t,
		    &(struct explain){ .decision = "tls",
			.outcome = is_any ? EXPLAIN_GO : EXPLAIN_WAIT,
			.by = tls_by(m, r, h, &need[k], by),
			.details = evidence(r, h, &need[k]) },
		    "%s: %s", h->name,
		    level_text(&need[k],
			tls_broken_is(session_key_of(h->name, route_port(r)))));
	}
}

/* It was asked for, and what is known instead holds. */
static void
put_sts_failure(struct tool *t, const struct route *r)
{
	explain_put(t,
	    &(struct explain){ .decision = "mta-sts",
		.by = "mta_sts_retry_time, mta_sts_retry_time_limit; "
		      "pbtls why, pbtls refresh",
		.details = json_pack("{s:s, s:I}", "mta_sts_error",
		    r->sts_error, "expires", (json_int_t)r->sts_retry_s) },
	    "the policy of %s could not be fetched: %s", r->next_hop,
	    r->sts_error);
}

static void
answer(struct tool *t, const struct route *r)
{
	const struct ipc_job m = job_of(t);
	struct target targets[TARGETS_MAX];
	const char *source = explain_fact(t, "source");
	unsigned n;

	if (r->status != DNS_OK) {
		put_failure(t, r);
		tool_end(t, EX_OK, NULL);
		return;
	}
	n = session_targets(r, source, targets);
	for (unsigned i = 0; i < n; i++) {
		put_host(t, r, &targets[i], i + 1, source);
	}
	if (n == 0) {
		explain_put(t,
		    &(struct explain){ .decision = "host",
			.outcome = EXPLAIN_WAIT,
			.by = "pbip: the source address" },
		    "no host has an address of the family of %s", source);
	}
	if (r->sts_error != NULL) {
		put_sts_failure(t, r);
	}
	put_tls(t, &m, r, targets, n);
	tool_end(t, EX_OK, NULL);
}

/* ---- the question --------------------------------------------------------
 */

static void
on_gone(struct tool *t, void *arg)
{
	(void)t;
	question_free(arg);
}

static void
on_ready(struct route_watch *w)
{
	struct question *q = container_of(w, struct question, watch);
	struct tool *t = q->t;

	tool_async(t, NULL, NULL, NULL);
	answer(t, w->route);
	question_free(q);
}

void
explain_serve(struct tool *t)
{
	struct str hop = str_of(explain_fact(t, "next_hop"));
	struct question *q;

	if (strcmp(tool_command(t), "explain.route") != 0) {
		tool_end(t, EX_USAGE, "deliver knows no such command");
		return;
	}
	if (hop.len == 0 || hop.len > 300) { /* as ipc.def */
		tool_end(t, EX_USAGE, "which next hop?");
		return;
	}
	q = mem_alloc(sizeof(*q));
	q->t = t;
	q->watch.ready = on_ready;
	TAILQ_INSERT_TAIL(&questions, q, link);
	tool_async(t, on_gone, NULL, q);
	if (route_watch(&q->watch, hop, explain_number(t, "is_fixed") != 0)) {
		on_ready(&q->watch);
	}
}

void
explain_fini(void)
{
	while (!TAILQ_EMPTY(&questions)) {
		struct question *q = TAILQ_FIRST(&questions);

		tool_async(q->t, NULL, NULL, NULL);
		tool_end(q->t, EX_TEMPFAIL, "deliver ends: try again");
		question_free(q);
	}
}
