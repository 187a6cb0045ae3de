#include "lookup.h"

#include <errno.h>
#include <stdio.h>

#include "clock.h"
#include "service.h"

#define ASK_TIMEOUT_US (20 * US_PER_S)
#define TTL_MIN_S 5
#define TTL_MAX_S 300

static struct addr_nets allowed;

/* A question under way; it outlives neither its answer nor its cancelling. */
struct question {
	uint32_t hook;
	char host[URL_HOST_SIZE];
	void (*fn)(uint32_t hook, const char *error);
};

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

			if (!addr_is_allowed(&h.addresses[i], allow)) {
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

static const char *
take_answer(
    struct hook *h, const struct ipc_addr_rep *m, char *error, size_t size)
{
	struct buf text = { 0 };
	uint64_t ttl = m->ttl_s;

	if (m->status != DNS_OK) {
		char safe[200];

		(void)snprintf(error, size, "%s: %s", h->url.host,
		    str_safe(safe, sizeof(safe), m->reason));
		return error;
	}
	if (lookup_format(&text, h->url.host, h->url.port, m->plan, &allowed) ==
	    0) {
		(void)snprintf(error, size,
		    "%s has no public address (webhook_allow_networks)",
		    h->url.host);
		return error;
	}
	free(h->resolve);
	h->resolve = str_dup(buf_str(&text));
	buf_fini(&text);
	ttl = ttl < TTL_MIN_S ? TTL_MIN_S : ttl;
	ttl = ttl > TTL_MAX_S ? TTL_MAX_S : ttl;
	h->resolve_until_us = clock_mono_us() + ttl * US_PER_S;
	return NULL;
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
	if (!str_is(str_of(q.host), h->url.host)) {
		why = "its url was changed";
	} else if (m != NULL) {
		why = take_answer(h, m, error, sizeof(error));
	}
	q.fn(q.hook, why);
}

int
lookup(struct hook *h, void (*fn)(uint32_t hook, const char *error))
{
	struct ipc_addr_req m = { .host = str_of(h->url.host) };
	struct question *q;
	int r;

	if (h->url.is_literal) {
		return addr_is_allowed(&h->url.address, &allowed) ? 1 : -EPERM;
	}
	if (h->resolve != NULL && clock_mono_us() < h->resolve_until_us) {
		return 1;
	}
	q = mem_alloc(sizeof(*q));
	*q = (struct question){ .hook = h->id, .fn = fn };
	str_copy(q->host, sizeof(q->host), m.host);
	r = peer_call(service_peer(ROLE_RESOLVD, 0), IPC_addr_req, &m, -1,
	    ASK_TIMEOUT_US, on_answer, q, NULL);
	if (r < 0) {
		free(q);
		return -EPIPE;
	}
	return 0;
}
