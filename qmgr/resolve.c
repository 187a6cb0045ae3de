/*
 * Which site serves a domain: resolvd knows, or routes.cf or relayhost says
 * it.
 */
#include <inttypes.h>
#include <string.h>

#include "core_name.h"
#include "core_view.h"
#include "log.h"
#include "map.h"
#include "paths.h"
#include "plan.h"
#include "qmgr.h"
#include "reply_class.h"
#include "resolve.h"
#include "results.h"
#include "routes.h"

#define TIMEOUT_US (30 * US_PER_S)
/* Reasons of failed domains kept; a flood of made-up domains starts anew. */
#define FAILURES_MAX 10000
/* An answer that carries no lifetime is believed for so long, seconds. */
#define TTL_MIN_S 30
/* A route holds as long as the process; its domain may be forgotten. */
#define TTL_ROUTE_S 86400

struct question {
	struct qmgr *q;
	char domain[];
};

struct failure {
	uint8_t status;
	char text[];
};

void
resolve_relay(struct qmgr *q)
{
	const struct routes_entry *relay = routes_relayhost(q->routes);

	q->relay_site = CORE_NONE;
	/* With lines in routes.cf each domain is looked at: relayhost is the
	 * route of the rest then. */
	if (relay != NULL && !routes_has_lines(q->routes)) {
		struct str hop = str_of(relay->hop);

		q->relay_site = paths_site(q, hop);
		core_relay(
		    q->core, q->relay_site, paths_provider(q, hop, STR("")));
	}
}

void
resolve_init(struct qmgr *q)
{
	q->dns_failures = map_new();
	resolve_relay(q);
}

void
resolve_fini(struct qmgr *q)
{
	if (q->dns_failures != NULL) {
		map_free(&q->dns_failures, free);
	}
}

static void
forget_failure(struct qmgr *q, struct str domain)
{
	free(map_del(q->dns_failures, domain));
}

static void
keep_failure(
    struct qmgr *q, struct str domain, uint8_t status, struct str reason)
{
	struct failure *f = mem_alloc(sizeof(*f) + reason.len + 1);

	if (map_len(q->dns_failures) >= FAILURES_MAX) {
		map_free(&q->dns_failures, free);
		q->dns_failures = map_new();
	}
	f->status = status;
	memcpy(f->text, reason.p, reason.len);
	free(map_put(q->dns_failures, domain, f));
}

const char *
resolve_failure(const struct qmgr *q, struct str domain, uint8_t *status)
{
	const struct failure *f = map_get(q->dns_failures, domain);
	const struct routes_entry *e = routes_find(q->routes, domain);

	if (e != NULL && e->kind == ROUTES_ERROR) {
		*status = DNS_REFUSED;
		return e->text;
	}
	*status = f != NULL ? f->status : DNS_NXDOMAIN;
	return f != NULL ? f->text : "the domain has no mail service";
}

static void
on_site(struct qmgr *q, uint32_t domain, const struct ipc_site_rep *m)
{
	uint32_t site = paths_site(q, m->site);
	uint32_t provider = paths_provider(q, m->site, m->provider);

	paths_domain(q, core_domain_name(q->core, domain), m->site);
	core_site_answer(q->core, domain, CORE_ANSWER_SITE, site, provider,
	    m->ttl_s > TTL_MIN_S ? m->ttl_s : TTL_MIN_S);
}

/* ---- no answer for now -------------------------------------------------- */

/* Recipients of one domain told about in one go. */
#define TOLD_AT_ONCE 1000

/* When resolvd is asked again, seconds. */
static uint32_t
asked_again_s(const struct qmgr *q, uint32_t domain)
{
	struct core_domain_view v;
	uint32_t at = domain - 1;

	if (core_domain_next(q->core, &at, &v) == 1 && v.domain == domain) {
		return (uint32_t)(v.until_us / US_PER_S);
	}
	return (uint32_t)(qmgr_now(q) / US_PER_S);
}

static void
tell_one(struct qmgr *q, const struct core_untold *u, struct str reason,
    uint32_t due_s)
{
	struct buf record = { 0 };
	struct event_accepted e;
	struct core_message m;
	uint32_t n;
	struct ipc_result r = {
		.attempt = u->attempts,
		.smtp_enh = STR("4.4.3"),
		.smtp_text = reason,
		.class = str_of(reason_desc(REASON_DNS)->name),
	};
	struct core_verdict v = { .attempts = u->attempts, .due_s = due_s };
	struct subject s = {
		.now_us = qmgr_now(q), .msg = u->msg, .rcpt = u->ordinal
	};

	if (core_message_get(q->core, u->msg, &m, &n) < 0) {
		return;
	}
	s.msgid = m.id;
	s.accept_lsn = m.accept_lsn;
	s.account = m.account;
	s.subaccount = m.subaccount;
	if (accepted_reread(q, &m.place, &record, &e) == 0) {
		r.rcpt_to = accepted_rcpt(&e, u->ordinal).address;
	}
	outcome_deferred(q, &s, &r, &v);
	buf_fini(&record);
}

/* Once for each recipient that waits for the domain. */
static void
tell_waiting(struct qmgr *q, uint32_t domain, struct str reason)
{
	struct core_untold *all = mem_alloc(TOLD_AT_ONCE * sizeof(*all));
	uint32_t due_s = asked_again_s(q, domain);
	uint32_t n;

	n = core_domain_untold(q->core, domain, all, TOLD_AT_ONCE);
	for (uint32_t i = 0; i < n; i++) {
		tell_one(q, &all[i], reason, due_s);
	}
	free(all);
}

static void
log_temporary(struct str domain, struct str reason)
{
	char name[256];
	char text[512];

	log_info("domain %s: no answer for now: %s",
	    str_safe(name, sizeof(name), domain),
	    str_safe(text, sizeof(text), reason));
}

static void
on_later(struct qmgr *q, uint32_t domain, struct str name, struct str reason)
{
	log_temporary(name, reason);
	core_site_answer(
	    q->core, domain, CORE_ANSWER_LATER, CORE_NONE, CORE_NONE, 0);
	tell_waiting(q, domain, reason);
}

static void
on_answer(struct qmgr *q, struct str name, const struct ipc_site_rep *m)
{
	/* The core keeps the number while the question is open. */
	uint32_t domain = core_domain_find(q->core, name);

	if (domain == CORE_NONE) {
		return;
	}
	if (m == NULL) {
		on_later(q, domain, name, STR("resolvd did not answer"));
		return;
	}
	switch ((enum dns_status)m->status) {
	case DNS_OK:
		forget_failure(q, name);
		on_site(q, domain, m);
		return;
	case DNS_TEMPORARY:
		on_later(q, domain, name, m->reason);
		return;
	case DNS_NXDOMAIN:
	case DNS_NULL_MX:
	case DNS_NO_ADDRESS:
	case DNS_LOOP:
	case DNS_BAD_NAME:
	case DNS_NOT_PUBLIC:
	case DNS_REFUSED:
		break;
	}
	keep_failure(q, name, m->status, m->reason);
	core_site_answer(q->core, domain, CORE_ANSWER_NEVER, CORE_NONE,
	    CORE_NONE, m->ttl_s > TTL_MIN_S ? m->ttl_s : TTL_MIN_S);
}

static void
on_reply(void *arg, enum ipc_type type, const void *m)
{
	struct question *k = arg;
	struct qmgr *q = k->q;

	(void)type;
	on_answer(q, str_of(k->domain), m);
	free(k);
	turn_wanted(q);
}

/* The site is known without a question. */
static void
answer_fixed(struct qmgr *q, uint32_t domain, struct str site, uint32_t ttl_s)
{
	core_site_answer(q->core, domain, CORE_ANSWER_SITE, paths_site(q, site),
	    paths_provider(q, site, STR("")), ttl_s);
	paths_domain(q, core_domain_name(q->core, domain), site);
}

static void
ask(struct qmgr *q, struct str name, struct str hop)
{
	struct ipc_site_req m = { .domain = hop };
	struct question *k = mem_alloc(sizeof(*k) + name.len + 1);

	k->q = q;
	memcpy(k->domain, name.p, name.len);
	if (peer_call(q->resolvd, IPC_site_req, &m, -1, TIMEOUT_US, on_reply, k,
		NULL) < 0) {
		on_answer(q, name, NULL);
		free(k);
	}
}

/*
 * A hop that is found by MX is the same site as a domain's with the same
 * servers; one that is named is a site of its own, with its port.
 */
struct resolve_plan
resolve_plan(const struct qmgr *q, struct str domain)
{
	struct resolve_plan p = { .how = RESOLVE_ASK,
		.name = domain,
		.ttl_s = TTL_ROUTE_S,
		.entry = routes_find(q->routes, domain) };

	if (q->relay_site != CORE_NONE) {
		p.how = RESOLVE_FIXED;
		p.name = core_site_name(q->core, q->relay_site);
	} else if (p.entry != NULL && p.entry->kind == ROUTES_ERROR) {
		p.how = RESOLVE_NEVER;
	} else if (p.entry != NULL && p.entry->kind == ROUTES_HOP) {
		p.how = p.entry->is_by_mx ? RESOLVE_ASK : RESOLVE_FIXED;
		p.name = str_of(p.entry->hop);
	} else if (domain.len > 0 && domain.p[0] == '[') {
		/* An address literal is its own site. */
		p.how = RESOLVE_FIXED;
		p.ttl_s = UINT32_MAX;
	}
	return p;
}

void
resolve_domain(struct qmgr *q, uint32_t domain)
{
	struct str name = core_domain_name(q->core, domain);
	struct resolve_plan p = resolve_plan(q, name);

	switch (p.how) {
	case RESOLVE_NEVER:
		core_site_answer(q->core, domain, CORE_ANSWER_NEVER, CORE_NONE,
		    CORE_NONE, p.ttl_s);
		return;
	case RESOLVE_FIXED:
		answer_fixed(q, domain, p.name, p.ttl_s);
		return;
	case RESOLVE_ASK:
		ask(q, name, p.name);
		return;
	}
}
