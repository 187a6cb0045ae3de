/*
 * plan_req: the hosts of a next hop with their addresses and TLSA records, and
 * the policy of the domain, all asked for at the same time.
 */
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "mx.h"
#include "next_hop.h"
#include "service.h"
#include "sts.h"
#include "tlsa.h"

/* As plan_rep: hosts beyond it are left out, the last ones first. */
#define PLAN_BYTES_MAX (32 * 1024)

struct search;

struct host {
	struct search *search;
	struct address address;
	struct ask tlsa;
	bool has_tlsa; /* the question was asked */
	bool is_alias; /* it is about the alias's end */
};

struct search {
	struct request request;
	struct next_hop hop;
	struct ask ask;
	struct mx mx;
	struct sts sts;
	const struct sts_known *policy; /* while the reply is made */
	struct host *hosts;		/* one for each of mx */
	unsigned n_pending;
};

/* A port is an administrator's word, and no domain's. */
static bool
has_policy(const struct next_hop *hop)
{
	return hop->has_mx && hop->port == 0 && !hop->is_address;
}

static void
search_free(struct request *r)
{
	struct search *s = container_of(r, struct search, request);

	ask_end(&s->ask);
	sts_end(&s->sts);
	for (unsigned i = 0; s->hosts != NULL && i < s->mx.n; i++) {
		address_end(&s->hosts[i].address);
		ask_end(&s->hosts[i].tlsa);
	}
	free(s->hosts);
	mx_fini(&s->mx);
	free(s);
}

static void
reply_failure(struct search *s, enum dns_status status, uint32_t ttl_s,
    const char *reason)
{
	struct ipc_plan_rep m = { .status = (uint8_t)status,
		.ttl_s = ttl_s,
		.reason = str_of(reason) };

	request_reply(&s->request, IPC_plan_rep, &m);
	search_free(&s->request);
}

/* Why no host can be used: what may pass comes first. */
static void
reply_no_host(struct search *s)
{
	const struct address *why = &s->hosts[0].address;
	enum dns_status status;

	for (unsigned i = 0; i < s->mx.n; i++) {
		if (s->hosts[i].address.status == DNS_TEMPORARY) {
			why = &s->hosts[i].address;
			break;
		}
	}
	status = why->status;
	if (status != DNS_TEMPORARY && s->hop.has_mx && !s->mx.is_implicit) {
		status = DNS_NO_ADDRESS; /* the domain itself is there */
	}
	reply_failure(s, status,
	    why->ttl_s < s->mx.ttl_s ? why->ttl_s : s->mx.ttl_s, why->reason);
}

static bool
add_host(struct search *s, unsigned i, struct buf *plan)
{
	const struct host *h = &s->hosts[i];
	struct plan_host out;
	size_t before = plan->len;

	address_to_host(&h->address, &out);
	out.pref = s->mx.hosts[i].pref;
	out.is_secure = h->has_tlsa;
	if (h->has_tlsa) {
		tlsa_read(&h->tlsa.answer, &out);
	}
	if (h->has_tlsa && h->is_alias) {
		out.tlsa_name = str_of(h->address.alias);
	}
	out.is_sts_refused = s->policy != NULL &&
	    s->policy->policy.mode != STS_NONE &&
	    !sts_policy_has(&s->policy->policy, out.name);
	plan_host_add(plan, &out);
	if (plan->len > PLAN_BYTES_MAX) {
		plan->len = before;
		return false;
	}
	return true;
}

static uint32_t
host_ttl(const struct host *h)
{
	uint32_t ttl_s = h->address.ttl_s;

	if (h->has_tlsa) {
		uint32_t t = h->tlsa.answer.status == ANSWER_TEMPORARY
		    ? TTL_TEMPORARY_S
		    : h->tlsa.answer.packet.ttl_s;

		ttl_s = t < ttl_s ? t : ttl_s;
	}
	return ttl_s;
}

/* RFC 8461 section 4.1: it is the domain's, whatever its hosts. */
static void
find_policy(struct search *s, struct ipc_plan_rep *m)
{
	const struct sts_failure *failure;

	if (!has_policy(&s->hop)) {
		return;
	}
	m->ttl_s = s->sts.ttl_s < m->ttl_s ? s->sts.ttl_s : m->ttl_s;
	s->policy = sts_policy_of(s->hop.name);
	if (s->policy != NULL) {
		m->sts_mode = (uint8_t)s->policy->policy.mode;
		m->sts_id = str_of(s->policy->id);
	}
	failure = sts_failure_of(s->hop.name, &m->sts_retry_s);
	if (failure != NULL) {
		m->sts_error = str_of(failure->error);
	}
}

static void
reply(struct search *s)
{
	struct buf plan = { 0 };
	struct ipc_plan_rep m = { .status = DNS_OK,
		.ttl_s = s->mx.ttl_s,
		.is_secure = s->mx.is_secure &&
		    (s->hop.has_mx || s->hosts[0].address.is_secure) };

	find_policy(s, &m);
	for (unsigned i = 0; i < s->mx.n; i++) {
		uint32_t ttl_s = host_ttl(&s->hosts[i]);

		m.ttl_s = ttl_s < m.ttl_s ? ttl_s : m.ttl_s;
		if (s->hosts[i].address.status == DNS_OK &&
		    !add_host(s, i, &plan)) {
			break;
		}
	}
	if (plan.len == 0) {
		reply_no_host(s);
	} else {
		m.plan = buf_str(&plan);
		request_reply(&s->request, IPC_plan_rep, &m);
		search_free(&s->request);
	}
	buf_fini(&plan);
}

/* The policy may be known before the hosts are. */
static void
part_done(struct search *s)
{
	if (--s->n_pending == 0 && s->hosts != NULL) {
		reply(s);
	}
}

static void
on_sts(void *arg)
{
	part_done(arg);
}

static void on_tlsa(void *arg);

static void
ask_tlsa(struct host *h, const char *host)
{
	const struct next_hop *hop = &h->search->hop;
	char name[DOMAIN_NAME_MAX + 1 + 16];

	(void)snprintf(name, sizeof(name), "_%u._tcp.%s",
	    hop->port != 0 ? hop->port : (unsigned)conf()->smtp_port, host);
	h->has_tlsa = true;
	ask_start(&h->tlsa, name, PACKET_TLSA, on_tlsa, h);
}

/* RFC 7672 section 2.2.2: none at the alias's end, so those of the name. */
static void
on_tlsa(void *arg)
{
	struct host *h = arg;
	struct plan_host found;

	tlsa_read(&h->tlsa.answer, &found);
	if (h->is_alias && found.tlsa_status == DNS_NXDOMAIN) {
		h->is_alias = false;
		ask_tlsa(h, h->address.name);
	} else {
		part_done(h->search);
	}
}

/*
 * RFC 7672 section 2.2: TLSA records count only when the MX records and the
 * host's addresses, with the aliases on the way, are validated. Without a
 * trust anchor nothing is.
 */
static void
on_address(void *arg)
{
	struct host *h = arg;
	struct search *s = h->search;

	if (h->address.status != DNS_OK || !h->address.is_secure ||
	    !s->mx.is_secure || !ask_has_dnssec()) {
		part_done(s);
		return;
	}
	h->is_alias = h->address.alias[0] != '\0';
	ask_tlsa(h, h->is_alias ? h->address.alias : h->address.name);
}

static void
start_hosts(struct search *s)
{
	s->hosts = mem_alloc(s->mx.n * sizeof(*s->hosts));
	s->n_pending += s->mx.n;
	for (unsigned i = 0; i < s->mx.n; i++) {
		s->hosts[i].search = s;
		address_start(&s->hosts[i].address, s->mx.hosts[i].name,
		    on_address, &s->hosts[i]);
	}
}

static void
on_mx(void *arg)
{
	struct search *s = arg;

	mx_read(&s->ask.answer, s->hop.name, conf()->myhostname, &s->mx);
	ask_end(&s->ask);
	if (s->mx.status != DNS_OK) {
		reply_failure(s, s->mx.status, s->mx.ttl_s, s->mx.reason);
	} else {
		start_hosts(s);
	}
}

/* The one host that was named: nothing before it that could be insecure. */
static void
set_host(struct search *s)
{
	s->mx = (struct mx){ .is_secure = true,
		.ttl_s = TTL_FIXED_S,
		.n = 1,
		.hosts = mem_alloc(sizeof(*s->mx.hosts)) };
	str_copy(s->mx.hosts[0].name, sizeof(s->mx.hosts[0].name),
	    str_of(s->hop.name));
}

void
hosts_on_request(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_plan_req *m = msg;
	struct search *s = mem_alloc(sizeof(*s));

	request_begin(&s->request, p, id, search_free);
	if (next_hop_parse(m->next_hop, &s->hop) < 0) {
		reply_failure(s, DNS_BAD_NAME, TTL_FIXED_S,
		    "malformed name of a domain or host");
	} else if (s->hop.has_mx) {
		if (has_policy(&s->hop)) {
			s->n_pending++;
			sts_start(&s->sts, s->hop.name, on_sts, s);
		}
		ask_start(&s->ask, s->hop.name, PACKET_MX, on_mx, s);
	} else {
		set_host(s);
		start_hosts(s);
	}
}
