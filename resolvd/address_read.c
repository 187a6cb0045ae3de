#include "address.h"

#include <errno.h>
#include <stdio.h>
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
	*out = (struct plan_address){ .family = ip.family == AF_INET6 ? 6 : 4 };
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
address_reverse(const struct plan_address *a, char dst[ADDRESS_REVERSE_SIZE])
{
	static const char hex[] = "0123456789abcdef";

	if (a->family == 4) {
		(void)snprintf(dst, ADDRESS_REVERSE_SIZE,
		    "%u.%u.%u.%u.in-addr.arpa", a->b[3], a->b[2], a->b[1],
		    a->b[0]);
		return;
	}
	for (size_t i = 0; i < 16; i++) {
		dst[4 * i] = hex[a->b[15 - i] & 15];
		dst[4 * i + 1] = '.';
		dst[4 * i + 2] = hex[a->b[15 - i] >> 4];
		dst[4 * i + 3] = '.';
	}
	(void)snprintf(dst + 64, ADDRESS_REVERSE_SIZE - 64, "ip6.arpa");
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
set_failure(
    struct address *x, const struct answer *a, const struct answer *aaaa)
{
	if (is_temporary(a) || is_temporary(aaaa)) {
		const bool is_a = is_temporary(a);

		x->status = DNS_TEMPORARY;
		reason_of_answer(
		    x->reason, x->name, is_a ? "A" : "AAAA", is_a ? a : aaaa);
	} else if (a->status == ANSWER_NXDOMAIN) {
		x->status = DNS_NXDOMAIN;
		reason_of_answer(x->reason, x->name, "A", a);
	} else {
		x->status = DNS_NO_ADDRESS;
		reason_of_answer(x->reason, x->name, "AAAA", aaaa);
	}
}

/* Both answers go the same way, unless the zone is just being changed. */
static void
set_alias(struct address *x, const struct answer *a, const struct answer *aaaa)
{
	const struct packet *k = count(a) > 0 ? &a->packet : &aaaa->packet;

	x->alias[0] = '\0';
	if (k->n_aliases > 0) {
		str_copy(x->alias, sizeof(x->alias),
		    packet_alias(k, k->n_aliases - 1));
	}
}

void
address_read(
    struct address *x, const struct answer *a, const struct answer *aaaa)
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
		set_alias(x, a, aaaa);
	}
}
