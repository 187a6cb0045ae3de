#include "addr_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "str.h"

/*
 * What is not somebody's server on the public Internet: the special-purpose
 * registries of RFC 6890 and what was added to them.
 */
static const struct {
	const char *net;
	uint8_t bits;
} refused[] = {
	{ "0.0.0.0", 8 },
	{ "10.0.0.0", 8 },
	{ "100.64.0.0", 10 },
	{ "127.0.0.0", 8 },
	{ "169.254.0.0", 16 },
	{ "172.16.0.0", 12 },
	{ "192.0.0.0", 24 },
	{ "192.0.2.0", 24 },
	{ "192.88.99.0", 24 },
	{ "192.168.0.0", 16 },
	{ "198.18.0.0", 15 },
	{ "198.51.100.0", 24 },
	{ "203.0.113.0", 24 },
	{ "224.0.0.0", 3 },
	{ "::", 96 },		/* unspecified, loopback, IPv4-compatible */
	{ "::ffff:0:0:0", 96 }, /* IPv4-translated, RFC 2765 */
	{ "64:ff9b:1::", 48 },	/* local NAT64, RFC 8215 */
	{ "100::", 64 },
	{ "2001::", 23 }, /* protocol assignments, without Teredo: see below */
	{ "2001:db8::", 32 },
	{ "3fff::", 20 },
	{ "5f00::", 16 },
	{ "fc00::", 7 },
	{ "fe80::", 9 }, /* link-local and the old site-local */
	{ "ff00::", 8 },
};

static bool
is_in(const struct plan_address *a, const struct addr_net *net)
{
	unsigned whole = net->bits / 8;
	unsigned rest = net->bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (a->family != net->family || memcmp(a->b, net->b, whole) != 0) {
		return false;
	}
	return rest == 0 || ((a->b[whole] ^ net->b[whole]) & mask) == 0;
}

int
addr_parse(const char *text, struct plan_address *out)
{
	struct plan_address a = { .family = 4 };

	if (inet_pton(AF_INET, text, a.b) != 1) {
		a.family = 6;
		if (inet_pton(AF_INET6, text, a.b) != 1) {
			return -EINVAL;
		}
	}
	*out = a;
	return 0;
}

static int
net_parse(struct str word, struct addr_net *out)
{
	char text[64];
	struct str host = { 0 };
	struct plan_address a;
	uint64_t bits;
	uint64_t most;

	if (!str_split(&word, '/', &host) || host.len >= sizeof(text)) {
		return -EINVAL;
	}
	str_copy(text, sizeof(text), host);
	if (addr_parse(text, &a) < 0) {
		return -EINVAL;
	}
	most = a.family == 4 ? 32 : 128;
	bits = most;
	if (word.len != 0 && str_u64(word, most, &bits) < 0) {
		return -EINVAL;
	}
	*out = (struct addr_net){ .family = a.family, .bits = (uint8_t)bits };
	memcpy(out->b, a.b, sizeof(out->b));
	return 0;
}

int
addr_nets_parse(const char *list, struct addr_nets *out)
{
	struct addr_nets nets = { .n = 0 };
	size_t n = 0;

	for (const char *p = list; *p != '\0'; p += n) {
		int r;

		n = strcspn(p, ", \t\n");
		if (n == 0) {
			n = 1;
			continue;
		}
		if (nets.n == ADDR_NETS_MAX) {
			return -E2BIG;
		}
		r = net_parse((struct str){ p, n }, &nets.net[nets.n]);
		if (r < 0) {
			return r;
		}
		nets.n++;
	}
	*out = nets;
	return 0;
}

static bool
is_refused(const struct plan_address *a)
{
	for (size_t i = 0; i < array_len(refused); i++) {
		struct addr_net net = { .bits = refused[i].bits };
		struct plan_address first;

		bug_on(addr_parse(refused[i].net, &first) < 0);
		net.family = first.family;
		memcpy(net.b, first.b, sizeof(net.b));
		if (is_in(a, &net)) {
			return true;
		}
	}
	return false;
}

/* The IPv4 address in an IPv6 one, of which a gateway would make use. */
static bool
embedded(const struct plan_address *a, struct plan_address *out)
{
	static const struct {
		uint8_t prefix[12];
		uint8_t len; /* of the prefix, bytes */
		uint8_t at;  /* where the address stands */
		uint8_t flip;
	} forms[] = {
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 12, 12, 0 },
		{ { 0, 0x64, 0xff, 0x9b }, 12, 12, 0 }, /* NAT64, RFC 6052 */
		{ { 0x20, 0x02 }, 2, 2, 0 },		/* 6to4, RFC 3056 */
		{ { 0x20, 0x01, 0, 0 }, 4, 12, 0xff },	/* Teredo, RFC 4380 */
	};

	for (size_t i = 0; a->family == 6 && i < array_len(forms); i++) {
		if (memcmp(a->b, forms[i].prefix, forms[i].len) != 0) {
			continue;
		}
		*out = (struct plan_address){ .family = 4 };
		for (int k = 0; k < 4; k++) {
			out->b[k] = a->b[forms[i].at + k] ^ forms[i].flip;
		}
		return true;
	}
	return false;
}

bool
addr_is_allowed(const struct plan_address *a, const struct addr_nets *allow)
{
	struct plan_address inner;

	for (unsigned i = 0; i < allow->n; i++) {
		if (is_in(a, &allow->net[i])) {
			return true;
		}
	}
	if (embedded(a, &inner)) {
		return addr_is_allowed(&inner, allow);
	}
	return !is_refused(a);
}

int
addr_of_sockaddr(const struct sockaddr *sa, struct plan_address *out)
{
	struct plan_address a = { 0 };

	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		a.family = 4;
		memcpy(a.b, &in.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		a.family = 6;
		memcpy(a.b, &in6.sin6_addr, 16);
	} else {
		return -EAFNOSUPPORT;
	}
	*out = a;
	return 0;
}
