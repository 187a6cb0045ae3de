#include "lookup.h"

#include <errno.h>
#include <stdio.h>

#include "clock.h"
#include "proxy.h"
#include "service.h"

#define ASK_TIMEOUT_US (20 * US_PER_S)
#define TTL_MIN_S 5
#define TTL_MAX_S 300

static struct addr_nets allowed;

/* A question under way; it outlives neither its answer nor its cancelling. */
struct question {
	uint32_t hook;
	bool is_proxy;
	char host[URL_HOST_SIZE];
	void (*fn)(uint32_t hook, const char *error);
};

/* Another question follows; not for people. */
static const char again[] = "";

void
lookup_init(const struct addr_nets *allow)
{
	allowed = *allow;
}

unsigned
lookup_format(struct buf *out, const char *host, uint16_t port, struct str plan,
    const struct addr_nets *allow)
{
	struct plan_host h;
	unsigned n = 0;

	while (plan_host_next(&plan, &h)) {
		for (unsigned i = 0; i < h.n_addresses; i++) {
			bool is_six = h.addresses[i].family == 6;
			char text[46];

			if (allow != NULL &&
			    !addr_is_allowed(&h.addresses[i], allow)) {
				continue;
			}
			plan_address_print(&h.addresses[i], text);
			if (n++ == 0) {
				buf_printf(out, "%s:%u:", host, port);
			} else {
				buf_puts(out, ",");
			}
			buf_printf(out, is_six ? "[%s]" : "%s", text);
		}
	}
	return n;
}

int
lookup_take(const struct url *u, const struct ipc_addr_rep *m,
    const struct addr_nets *allow, char **resolve, uint64_t *until_us,
    char *error, size_t size)
{
	struct buf text = { 0 };
	uint64_t ttl = m->ttl_s;

	if (m->status != DNS_OK) {
		char safe[200];

		(void)snprintf(error, size, "%s: %s", u->host,
		    str_safe(safe, sizeof(safe), m->reason));
		return -EINVAL;
	}
	if (lookup_format(&text, u->host, u->port, m->plan, allow) == 0) {
		(void)snprintf(error, size,
		    "%s has no public address (webhook_allow_networks)",
		    u->host);
		return -EINVAL;
	}
	free(*resolve);
	*resolve = str_dup(buf_str(&text));
	buf_fini(&text);
	ttl = ttl < TTL_MIN_S ? TTL_MIN_S : ttl;
	ttl = ttl > TTL_MAX_S ? TTL_MAX_S : ttl;
	*until_us = clock_mono_us() + ttl * US_PER_S;
	return 0;
}

/* The proxy's answer came; the endpoint's own name is next. */
static const char *
take_proxy(const struct question *q, struct hook *h,
    const struct ipc_addr_rep *m, char *error, size_t size)
{
	const char *why = proxy_take(m, error, size);
	int r;

	if (why != NULL) {
		return why;
	}
	r = lookup(h, q->fn);
	if (r == 0) {
		return again;
	}
	return r == 1	  ? NULL
	    : r == -EPERM ? "its address is not public (webhook_allow_networks)"
			  : "resolvd did not answer";
}

static void
on_answer(void *arg, enum ipc_type type, const void *m)
{
	struct question q = *(struct question *)arg;
	struct hook *h = hooks_find(q.hook);
	const char *why = "resolvd did not answer";
	char error[512];

	(void)type;
	free(arg);
	if (h == NULL) {
		return;
	}
	if (q.is_proxy) {
		if (m != NULL) {
			why = take_proxy(&q, h, m, error, sizeof(error));
		}
	} else if (!str_is(str_of(q.host), h->url.host)) {
		why = "its url was changed";
	} else if (m != NULL) {
		why = lookup_take(&h->url, m, &allowed, &h->resolve,
			  &h->resolve_until_us, error, sizeof(error)) < 0
		    ? error
		    : NULL;
	}
	if (why != again) {
		q.fn(q.hook, why);
	}
}

static int
ask(const struct hook *h, const char *host, bool is_proxy,
    void (*fn)(uint32_t hook, const char *error))
{
	struct ipc_addr_req m = { .host = str_of(host) };
	struct question *q = mem_alloc(sizeof(*q));
	int r;

	*q = (struct question){ .hook = h->id, .is_proxy = is_proxy, .fn = fn };
	str_copy(q->host, sizeof(q->host), m.host);
	r = peer_call(service_peer(ROLE_RESOLVD, 0), IPC_addr_req, &m, -1,
	    ASK_TIMEOUT_US, on_answer, q, NULL);
	if (r < 0) {
		free(q);
		return -EPIPE;
	}
	return 0;
}

int
lookup(struct hook *h, void (*fn)(uint32_t hook, const char *error))
{
	if (h->url.is_literal && !addr_is_allowed(&h->url.address, &allowed)) {
		return -EPERM;
	}
	if (!proxy_is_known()) {
		return ask(h, proxy_host(), true, fn);
	}
	if (h->url.is_literal ||
	    (proxy_is_used() && conf()->webhook_proxy_resolves) ||
	    (h->resolve != NULL && clock_mono_us() < h->resolve_until_us)) {
		return 1;
	}
	return ask(h, h->url.host, false, fn);
}
