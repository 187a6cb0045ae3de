/*
 * explain.queue: whether the queue takes the mail, where it goes and over
 * which paths. For pbexplain(1); the argument "facts" is accountd's.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "core_limits.h"
#include "core_name.h"
#include "core_view.h"
#include "domain.h"
#include "explain.h"
#include "paths.h"
#include "plan.h"
#include "qmgr.h"
#include "resolve.h"
#include "routes.h"
#include "sources.h"
#include "tenants.h"
#include "tool_explain.h"
#include "tools.h"

#define TIMEOUT_US (30 * US_PER_S)
#define HOUR_US (3600 * US_PER_S)
#define BY_SIZE 512

/* A tool that waits for resolvd. */
struct question {
	struct run run;
	uint32_t call;
	char domain[ACCEPTED_DOMAIN_SIZE + 1];
};

/* ---- room and quota ------------------------------------------------------
 */

static void
put_pressure(struct qmgr *q, struct tool *t)
{
	bool is_short = q->pressure != PRESSURE_NONE;

	explain_put(t,
	    &(struct explain){ .decision = "queue",
		.outcome = is_short ? EXPLAIN_REFUSE : EXPLAIN_GO,
		.by = "spool_min_free, queue_memory_limit" },
	    "%s%s", is_short ? "no new mail is taken: " : "it takes new mail",
	    is_short ? q->pressure_reason : "");
}

static void
put_room(struct tool *t, const char *name, const struct core_tenant_view *v)
{
	if (v->queue_limit == 0) {
		return;
	}
	explain_put(t,
	    &(struct explain){ .decision = "queue",
		.outcome = v->is_full ? EXPLAIN_REFUSE : EXPLAIN_GO,
		.by = "pbaccount: queue",
		.details = json_pack("{s:s, s:I, s:I}", "account", name,
		    "queued", (json_int_t)v->queued, "limit",
		    (json_int_t)v->queue_limit) },
	    "%s: %u of %u recipients are queued%s", name, v->queued,
	    v->queue_limit, v->is_full ? ": new mail is refused" : "");
}

static void
put_quota(struct qmgr *q, struct tool *t, const char *name,
    const struct core_tenant_view *v)
{
	uint32_t hour = (uint32_t)(qmgr_now(q) / HOUR_US);
	uint32_t used = v->quota_hour == hour ? v->quota_used : 0;
	bool is_used_up = v->quota != 0 && used >= v->quota;
	char limit[32] = "no limit";

	if (v->quota != 0) {
		(void)snprintf(limit, sizeof(limit), "of %u", v->quota);
	}
	explain_put(t,
	    &(struct explain){ .decision = "quota",
		.outcome = is_used_up ? EXPLAIN_WAIT : EXPLAIN_GO,
		.by = "packetboat-qmgr: use of the quota in this hour",
		.details = json_pack("{s:s, s:I, s:I}", "account", name, "used",
		    (json_int_t)used, "limit", (json_int_t)v->quota) },
	    "%s: %u used in this hour, %s%s", name, used, limit,
	    is_used_up ? ": mail waits for the next" : "");
}

static void
put_connections(struct qmgr *q, struct tool *t, const char *name,
    const struct core_object *o, const struct core_tenant_view *v)
{
	struct core_limits l;
	uint64_t until_us;
	bool is_full;

	if (core_limits_get(q->core, o, &l, &until_us) < 0 || l.max_conn == 0) {
		return;
	}
	is_full = v->inflight >= l.max_conn;
	explain_put(t,
	    &(struct explain){ .decision = "limits",
		.outcome = is_full ? EXPLAIN_WAIT : EXPLAIN_GO,
		.by = "pbaccount: connections",
		.details = json_pack("{s:s, s:I, s:I}", "account", name,
		    "running", (json_int_t)v->inflight, "limit",
		    (json_int_t)l.max_conn) },
	    "%s: %u of %u transactions run", name, v->inflight, l.max_conn);
}

static void
put_tenant(struct qmgr *q, struct tool *t, uint32_t account, uint32_t sub)
{
	const struct core_object o = {
		.level = sub != 0 ? CORE_LEVEL_SUBACCOUNT : CORE_LEVEL_ACCOUNT,
		.index = account,
		.sub = sub,
	};
	const char *name = tenants_name(q, account, sub);
	struct core_tenant_view v;

	if (core_tenant_get(q->core, account, sub, &v) == 0) {
		put_room(t, name, &v);
		put_quota(q, t, name, &v);
		put_connections(q, t, name, &o, &v);
	}
}

/* ---- where it goes -------------------------------------------------------
 */

static void
put_site(struct qmgr *q, struct tool *t, const char *by, uint32_t site,
    uint32_t provider)
{
	char safe[300];
	char name[300] = "";

	if (provider != CORE_NONE) {
		(void)str_safe(
		    name, sizeof(name), core_provider_name(q->core, provider));
	}
	(void)str_safe(safe, sizeof(safe), core_site_name(q->core, site));
	explain_put(t,
	    &(struct explain){ .decision = "site",
		.by = by,
		.details =
		    json_pack("{s:s, s:s}", "site", safe, "provider", name) },
	    "%s%s%s", safe, name[0] != '\0' ? ", provider " : "", name);
}

/* The rest of the way, as a job would have it. */
static void
go_on(struct question *k, struct str name, struct str known, const char *by)
{
	struct qmgr *q = k->run.q;
	struct tool *t = k->run.tool;
	uint32_t site = paths_site(q, name);
	uint32_t provider = paths_provider(q, name, known);
	uint32_t pool = sources_pool(q, str_of(explain_fact(t, "pool")));
	json_t *sources = json_array();
	struct ipc_job m = { 0 };

	paths_domain(q, str_of(k->domain), name);
	put_site(q, t, by, site, provider);
	explain_limits(q, t, site, provider);
	explain_paths(q, t, pool, site, provider, sources);
	dispatch_hop(q, site, str_of(k->domain), &m);
	explain_proof(q, t, core_site_name(q->core, site));
	explain_facts(t,
	    json_pack("{s:s%, s:i, s:s%, s:s%, s:s%, s:o}", "next_hop",
		m.next_hop.p, m.next_hop.len, "is_fixed", (int)m.is_fixed,
		"site", m.site.p, m.site.len, "tls_policy",
		m.tls_policy.len != 0 ? m.tls_policy.p : "", m.tls_policy.len,
		"auth_user", m.auth_user.len != 0 ? m.auth_user.p : "",
		m.auth_user.len, "sources", sources));
}

static void
end(struct question *k)
{
	struct tool *t = k->run.tool;

	tool_async(t, NULL, NULL, NULL);
	run_end(&k->run);
	tool_end(t, EX_OK, NULL);
}

static void
on_site(void *arg, enum ipc_type type, const void *msg)
{
	const struct ipc_site_rep *m = msg;
	struct question *k = arg;
	enum dns_status status =
	    m != NULL ? (enum dns_status)m->status : DNS_TEMPORARY;
	char reason[512];

	(void)type;
	k->call = 0;
	if (status == DNS_OK) {
		go_on(k, m->site, m->provider,
		    m->is_secure ? "MX records, validated by DNSSEC"
				 : "MX records");
	} else {
		explain_put(k->run.tool,
		    &(struct explain){ .decision = "site",
			.outcome = status == DNS_TEMPORARY ? EXPLAIN_WAIT
							   : EXPLAIN_STOP,
			.by = "DNS" },
		    "%s: %s", k->domain,
		    m != NULL ? str_safe(reason, sizeof(reason), m->reason)
			      : "resolvd did not answer");
	}
	end(k);
}

static void
put_route(struct tool *t, const struct resolve_plan *p, const char *domain)
{
	const struct routes_entry *e = p->entry;
	char by[BY_SIZE];

	if (e == NULL || e->kind == ROUTES_OWN) {
		(void)snprintf(by, sizeof(by), "routes.cf line %u",
		    e != NULL ? e->line : 0);
		explain_put(t,
		    &(struct explain){ .decision = "route",
			.by = e != NULL
			    ? by
			    : "no line of routes.cf, no relayhost" },
		    "%s",
		    domain[0] == '[' ? "the address itself"
				     : "the domain's own mail servers");
		return;
	}
	if (e->line != 0) {
		(void)snprintf(by, sizeof(by), "routes.cf line %u", e->line);
	} else {
		(void)snprintf(by, sizeof(by), "relayhost = %s", e->hop);
	}
	explain_put(t,
	    &(struct explain){ .decision = "route",
		.outcome = e->kind == ROUTES_ERROR ? EXPLAIN_STOP : EXPLAIN_GO,
		.by = by,
		.details = json_pack("{s:s, s:b}", "next_hop", e->hop, "auth",
		    e->user[0] != '\0') },
	    "%s%s", e->kind == ROUTES_ERROR ? "nothing is sent there: " : "",
	    e->kind == ROUTES_ERROR ? e->text : e->hop);
}

static void
find_site(struct question *k)
{
	struct qmgr *q = k->run.q;
	struct resolve_plan p = resolve_plan(q, str_of(k->domain));
	struct ipc_site_req m = { .domain = p.name };

	put_route(k->run.tool, &p, k->domain);
	switch (p.how) {
	case RESOLVE_NEVER:
		end(k);
		return;
	case RESOLVE_FIXED:
		go_on(k, p.name, STR(""), "the route");
		end(k);
		return;
	case RESOLVE_ASK:
		if (peer_call(q->resolvd, IPC_site_req, &m, -1, TIMEOUT_US,
			on_site, k, &k->call) < 0) {
			on_site(k, (enum ipc_type)0, NULL);
		}
		return;
	}
}

/* ---- the command ---------------------------------------------------------
 */

static void
question_free(struct run *r)
{
	struct question *k = container_of(r, struct question, run);

	peer_call_cancel(r->q->resolvd, k->call);
	free(k);
}

void
tool_explain(struct qmgr *q, struct tool *t)
{
	uint32_t account = (uint32_t)explain_number(t, "account");
	uint32_t sub = (uint32_t)explain_number(t, "subaccount");
	struct question *k;
	struct str domain;

	if (tool_arg(t, "recipient")[0] == '\0') {
		tool_end(t, EX_USAGE, "which recipient?");
		return;
	}
	put_pressure(q, t);
	if (sub != 0) {
		put_tenant(q, t, account, sub);
	}
	put_tenant(q, t, account, 0);
	k = mem_alloc(sizeof(*k));
	domain = accepted_domain(
	    str_of(tool_arg(t, "recipient")), k->domain, ACCEPTED_DOMAIN_SIZE);
	k->domain[domain.len] = '\0';
	run_begin(&k->run, q, t, question_free, NULL);
	find_site(k);
}
