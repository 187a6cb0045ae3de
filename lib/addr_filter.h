/*
 * Which addresses strangers may lead to: the host of a tenant's webhook, the
 * MX of a recipient's domain, the server of its policy. Whoever owns a name
 * says where it points; what leads to this machine, its neighbours or the
 * provider's inside is refused where the connection is made.
 */
#ifndef LIB_ADDR_FILTER_H
#define LIB_ADDR_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "attr.h"
#include "plan.h"

#define ADDR_NETS_MAX 64

struct addr_net {
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
	uint8_t b[16];
};

/* Networks that are allowed though they are private. */
struct addr_nets {
	struct addr_net net[ADDR_NETS_MAX];
	unsigned n;
};

/*
 * Reads "10.0.0.0/8 fd00::/8"; without bits it is one address. Returns 0;
 * -EINVAL for anything else; -E2BIG above ADDR_NETS_MAX. *out is untouched
 * on error.
 */
int addr_nets_parse(const char *list, struct addr_nets *out) MUST_CHECK;

/*
 * Whether to connect there. Addresses that carry an IPv4 address (mapped,
 * NAT64, 6to4, Teredo) are judged by it too.
 */
bool addr_is_allowed(
    const struct plan_address *a, const struct addr_nets *allow);

/* The address of an AF_INET or AF_INET6 socket address. -EAFNOSUPPORT. */
int addr_of_sockaddr(
    const struct sockaddr *sa, struct plan_address *out) MUST_CHECK;

/* "192.0.2.1" or "2001:db8::1". -EINVAL when it is neither. */
int addr_parse(const char *text, struct plan_address *out) MUST_CHECK;

#endif
