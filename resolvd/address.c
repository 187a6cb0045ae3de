#include "address.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "reason.h"

int
address_parse(struct str text, struct plan_address *out)
{
	struct domain_ip ip;

	if (domain_ip_parse(text.p, text.len, &ip) < 0) {
		return -EBADMSG;
	}
	*out = (struct plan_address){ .family = ip.family == AF_INET6 ? 6
								      : 4 };
	memcpy(out->b, ip.addr, out->family == 6 ? 16 : 4);
	return 0;
}

bool
address_has(const struct address *x, const struct plan_address *ip)
{
	for (uint8_t i = 0; i < x->n; i++) {
		if (x->list[i].family == ip->family &&
		    memcmp(x->list[i].b, ip->b, ip->family == 6 ? 16 : 4) ==
			0) {
			return true;
		}
	}
	return false;
}

void
address_to_host(const struct address *x, struct plan_host *h)
{
	*h = (struct plan_host){ .name = str_of(x->name),
		.is_secure = x->is_secure,
		.tlsa_status = DNS_NXDOMAIN,
		.n_addresses = x->n };
	memcpy(h->addresses, x->list, sizeof(h->addresses));
}

/* ---- what the answers say ----------------------------------------------- */

static void
add(struct address *x, uint8_t family, struct str data)
{
	struct plan_address *to = &x->list[x->n++];

	*to = (struct plan_address){ .family = family };
	memcpy(to->b, data.p, data.len);
}

static unsigned
count(const struct answer *a)
{
	return a->status == ANSWER_DATA ? a->packet.n : 0;
}

static void
add_all(struct address *x, const struct answer *a, const struct answer *aaaa)
{
	unsigned n4 = count(a);
	unsigned n6 = count(aaaa);

	for (unsigned i = 0; i < n4 || i < n6; i++) {
		if (i < n4 && x->n < PLAN_ADDRESSES_MAX) {
			add(x, 4, packet_data(&a->packet, i));
		}
		if (i < n6 && x->n < PLAN_ADDRESSES_MAX) {
			add(x, 6, packet_data(&aaaa->packet, i));
		}
	}
}

static bool
is_temporary(const struct answer *a)
{
	return a->status == ANSWER_TEMPORARY ||
	    (a->status == ANSWER_DATA && a->packet.n == 0);
}

static uint32_t
ttl_of(const struct answer *a)
{
	return is_temporary(a) ? TTL_TEMPORARY_S : a->packet.ttl_s;
}

static void
set_failure(struct address *x, const struct answer *a,
    const struct answer *aaaa)
{
	if (is_temporary(a) || is_temporary(aaaa)) {
		const bool is_a = is_temporary(a);

		x->status = DNS_TEMPORARY;
		reason_of_answer(x->reason, x->name, is_a ? "A" : "AAAA",
		    is_a ? a : aaaa);
	} else if (a->status == ANSWER_NXDOMAIN) {
		x->status = DNS_NXDOMAIN;
		reason_of_answer(x->reason, x->name, "A", a);
	} else {
		x->status = DNS_NO_ADDRESS;
		reason_of_answer(x->reason, x->name, "AAAA", aaaa);
	}
}

void
address_read(struct address *x, const struct answer *a,
    const struct answer *aaaa)
{
	uint32_t ttl4 = ttl_of(a);
	uint32_t ttl6 = ttl_of(aaaa);

	x->ttl_s = ttl4 < ttl6 ? ttl4 : ttl6;
	x->n = 0;
	add_all(x, a, aaaa);
	x->is_secure = (count(a) == 0 || a->is_secure) &&
	    (count(aaaa) == 0 || aaaa->is_secure) && x->n > 0;
	if (x->n == 0) {
		set_failure(x, a, aaaa);
	} else {
		x->status = DNS_OK;
		x->reason[0] = '\0';
	}
}

/* ---- the search --------------------------------------------------------- */

static void
done(void *arg)
{
	struct address *x = arg;

	x->fn(x->arg);
}

static void
on_answer(void *arg)
{
	struct address *x = arg;

	if (--x->n_pending == 0) {
		address_read(x, &x->a.answer, &x->aaaa.answer);
		ask_end(&x->a);
		ask_end(&x->aaaa);
		x->fn(x->arg);
	}
}

static bool
is_known(struct address *x)
{
	static const struct plan_address loopback[] = {
		{ .family = 4, .b = { 127, 0, 0, 1 } },
		{ .family = 6, .b = { [15] = 1 } },
	};
	size_t len = strlen(x->name);

	if (address_parse((struct str){ x->name, len }, &x->list[0]) == 0) {
		x->n = 1;
	} else if (domain_is_within(x->name, len, "localhost", 9)) {
		memcpy(x->list, loopback, sizeof(loopback));
		x->n = array_len(loopback);
	}
	return x->n > 0;
}

void
address_start(struct address *x, const char *name, address_fn *fn, void *arg)
{
	address_end(x);
	*x = (struct address){ .fn = fn, .arg = arg };
	str_copy(x->name, sizeof(x->name), str_of(name));
	if (is_known(x)) {
		x->status = DNS_OK;
		x->ttl_s = TTL_FIXED_S;
		loop_defer(&x->defer, done, x);
		return;
	}
	x->n_pending = 2;
	ask_start(&x->a, name, PACKET_A, on_answer, x);
	ask_start(&x->aaaa, name, PACKET_AAAA, on_answer, x);
}

void
address_end(struct address *x)
{
	loop_defer_cancel(&x->defer);
	ask_end(&x->a);
	ask_end(&x->aaaa);
}
