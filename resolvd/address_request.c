/*
 * addr_req: the addresses of one name.
 */
#include "address.h"

struct lookup {
	struct request request;
	struct address address;
};

static void
lookup_free(struct request *r)
{
	struct lookup *l = container_of(r, struct lookup, request);

	address_end(&l->address);
	free(l);
}

static void
reply(struct request *r, const struct address *x)
{
	struct buf plan = { 0 };
	struct plan_host h;
	struct ipc_addr_rep m = { .status = (uint8_t)x->status,
		.ttl_s = x->ttl_s,
		.reason = str_of(x->reason) };

	if (x->status == DNS_OK) {
		address_to_host(x, &h);
		plan_host_add(&plan, &h);
		m.plan = buf_str(&plan);
	}
	request_reply(r, IPC_addr_rep, &m);
	buf_fini(&plan);
}

static void
on_address(void *arg)
{
	struct lookup *l = arg;

	reply(&l->request, &l->address);
	lookup_free(&l->request);
}

void
address_on_request(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_addr_req *m = msg;
	struct lookup *l = mem_alloc(sizeof(*l));
	struct plan_address ip;
	char name[DOMAIN_NAME_MAX + 1];

	request_begin(&l->request, p, id, lookup_free);
	if (address_parse(m->host, &ip) == 0) {
		str_copy(name, sizeof(name), m->host);
	} else if (domain_to_ascii(m->host.p, m->host.len, DOMAIN_UNDERSCORE,
		       name, sizeof(name)) < 0) {
		struct ipc_addr_rep bad = { .status = DNS_BAD_NAME,
			.ttl_s = TTL_FIXED_S,
			.reason = STR("not a host name") };

		request_reply(&l->request, IPC_addr_rep, &bad);
		free(l);
		return;
	}
	address_start(&l->address, name, on_address, l);
}
