/*
 * site_req: which hosts serve a domain, as one name.
 */
#include <stdio.h>

#include "address.h"
#include "mx.h"
#include "next_hop.h"
#include "service.h"
#include "site_key.h"

struct search {
	struct request request;
	struct next_hop hop;
	struct ask ask;
	struct address address; /* without MX records */
	struct mx mx;
};

static void
search_free(struct request *r)
{
	struct search *s = container_of(r, struct search, request);

	ask_end(&s->ask);
	address_end(&s->address);
	mx_fini(&s->mx);
	free(s);
}

static void
reply_failure(struct search *s, enum dns_status status, uint32_t ttl_s,
    const char *reason)
{
	struct ipc_site_rep m = { .status = (uint8_t)status,
		.ttl_s = ttl_s,
		.reason = str_of(reason) };

	request_reply(&s->request, IPC_site_rep, &m);
	search_free(&s->request);
}

static void
reply(struct search *s)
{
	char site[SITE_SIZE], provider[SITE_SIZE];
	struct ipc_site_rep m = { .status = DNS_OK,
		.ttl_s = s->mx.ttl_s,
		.is_secure = s->mx.is_secure };

	site_key(s->mx.hosts, s->mx.n, site);
	site_provider(s->mx.hosts[0].name, provider);
	m.site = str_of(site);
	m.provider = str_of(provider);
	request_reply(&s->request, IPC_site_rep, &m);
	search_free(&s->request);
}

/* A host that is named without MX records is a site of its own. */
static void
reply_host(struct search *s)
{
	char site[SITE_SIZE], provider[SITE_SIZE];
	struct ipc_site_rep m = { .status = DNS_OK, .ttl_s = TTL_FIXED_S };

	(void)snprintf(site, sizeof(site), "[%s]", s->hop.name);
	site_provider(s->hop.name, provider);
	m.site = str_of(site);
	m.provider = str_of(provider);
	request_reply(&s->request, IPC_site_rep, &m);
	search_free(&s->request);
}

/* RFC 5321 section 5.1: a domain with an address is its own MX. */
static void
on_address(void *arg)
{
	struct search *s = arg;
	const struct address *x = &s->address;

	if (x->status == DNS_OK) {
		s->mx.ttl_s = x->ttl_s < s->mx.ttl_s ? x->ttl_s : s->mx.ttl_s;
		s->mx.is_secure = s->mx.is_secure && x->is_secure;
		reply(s);
	} else {
		reply_failure(s, x->status, x->ttl_s, x->reason);
	}
}

static void
on_mx(void *arg)
{
	struct search *s = arg;

	mx_read(&s->ask.answer, s->hop.name, conf()->myhostname, &s->mx);
	if (s->mx.status != DNS_OK) {
		reply_failure(s, s->mx.status, s->mx.ttl_s, s->mx.reason);
	} else if (s->mx.is_implicit) {
		address_start(&s->address, s->hop.name, on_address, s);
	} else {
		reply(s);
	}
}

void
site_on_request(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_site_req *m = msg;
	struct search *s = mem_alloc(sizeof(*s));

	request_begin(&s->request, p, id, search_free);
	if (next_hop_parse(m->domain, &s->hop) < 0) {
		reply_failure(
		    s, DNS_BAD_NAME, TTL_FIXED_S, "malformed domain name");
	} else if (s->hop.has_mx) {
		ask_start(&s->ask, s->hop.name, PACKET_MX, on_mx, s);
	} else {
		reply_host(s);
	}
}
