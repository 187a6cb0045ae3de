#include "reach.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

#include "addr_filter.h"
#include "log.h"
#include "service.h"

/* An address of this system, and the port that its smtpd listens on. */
struct own {
	struct plan_address address;
	uint16_t port;
};

static struct own *owns;
static unsigned n_owns;
static struct addr_nets allowed;
static bool is_any_allowed;

/* ---- what is known ------------------------------------------------------ */

static void
own_add(const struct plan_address *a, uint16_t port)
{
	owns = mem_resize(owns, (n_owns + 1) * sizeof(*owns));
	owns[n_owns++] = (struct own){ *a, port };
}

static bool
is_wildcard(const struct plan_address *a)
{
	static const uint8_t none[16];

	return memcmp(a->b, none, sizeof(none)) == 0;
}

/* A listener on all addresses of a family: those that there are now. */
static void
add_interfaces(const struct plan_address *any, uint16_t port)
{
	struct ifaddrs *all = NULL;
	struct plan_address a;

	if (getifaddrs(&all) < 0) {
		log_warn("the addresses of this system cannot be read: %s; "
			 "mail for itself is told by its name only",
		    strerror(errno));
		return;
	}
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr != NULL &&
		    addr_of_sockaddr(i->ifa_addr, &a) == 0 &&
		    (any->family == 6 || a.family == 4)) {
			own_add(&a, port);
		}
	}
	freeifaddrs(all);
}

/* "address:port/role" of smtpd_listen, whose form conf_load has checked. */
static int
add_listener(void *arg, const char *word, size_t len)
{
	struct str role = { word, len };
	struct str address = { 0 };
	struct plan_address a;
	const char *colon;
	char text[64];
	uint64_t port;

	(void)arg;
	(void)str_split(&role, '/', &address);
	colon = memrchr(address.p, ':', address.len);
	if (colon == NULL ||
	    str_u64((struct str){ colon + 1,
			(size_t)(address.p + address.len - colon) - 1 },
		UINT16_MAX, &port) < 0) {
		return 0;
	}
	address.len = (size_t)(colon - address.p);
	if (address.len > 1 && address.p[0] == '[') {
		address = (struct str){ address.p + 1, address.len - 2 };
	}
	str_copy(text, sizeof(text), address);
	if (addr_parse(text, &a) == 0) {
		own_add(&a, (uint16_t)port);
		if (is_wildcard(&a)) {
			add_interfaces(&a, (uint16_t)port);
		}
	}
	return 0;
}

void
reach_init(void)
{
	const struct conf *c = conf();
	const char *policy = c->smtp_address_policy;

	if (addr_nets_parse(c->smtp_allow_networks, &allowed) < 0) {
		fatal("smtp_allow_networks = %s: not a list of at most %d "
		      "address/bits",
		    c->smtp_allow_networks, ADDR_NETS_MAX);
	}
	is_any_allowed = strcmp(policy, "any") == 0 ||
	    (strcmp(policy, "auto") == 0 && c->smtp_port != 25);
	(void)conf_list_each(c->smtpd_listen, add_listener, NULL);
}

void
reach_fini(void)
{
	free(owns);
	owns = NULL;
	n_owns = 0;
}

/* ---- routes ------------------------------------------------------------- */

static bool
is_own(const struct plan_address *a, uint16_t port)
{
	for (unsigned i = 0; i < n_owns; i++) {
		const struct own *o = &owns[i];

		if (o->port == port && o->address.family == a->family &&
		    memcmp(o->address.b, a->b, a->family == 6 ? 16 : 4) == 0) {
			return true;
		}
	}
	return false;
}

static bool
has_own(const struct route_host *h, uint16_t port)
{
	for (unsigned i = 0; i < h->n_addresses; i++) {
		if (is_own(&h->addresses[i], port)) {
			return true;
		}
	}
	return false;
}

/* Hosts from number n on are left out. */
static void
cut(struct route *r, unsigned n)
{
	while (r->n_hosts > n) {
		r->n_hosts--;
		free(r->hosts[r->n_hosts].tlsa);
		r->hosts[r->n_hosts].tlsa = NULL;
	}
}

/* True: this system is among the hosts; what is not better is gone. */
static bool
cut_loop(struct route *r)
{
	uint16_t port = route_port(r);
	unsigned own = 0;
	unsigned keep;

	while (own < r->n_hosts && !has_own(&r->hosts[own], port)) {
		own++;
	}
	if (own == r->n_hosts) {
		return false;
	}
	keep = own;
	while (keep > 0 && r->hosts[keep - 1].pref == r->hosts[own].pref) {
		keep--;
	}
	cut(r, keep);
	return true;
}

/* Returns how many addresses are left in all; *refused is one that is not. */
static unsigned
drop_refused(struct route *r, struct plan_address *refused)
{
	unsigned left = 0;

	for (unsigned i = 0; i < r->n_hosts; i++) {
		struct route_host *h = &r->hosts[i];
		uint8_t n = 0;

		for (uint8_t k = 0; k < h->n_addresses; k++) {
			if (addr_is_allowed(&h->addresses[k], &allowed)) {
				h->addresses[n++] = h->addresses[k];
			} else {
				*refused = h->addresses[k];
			}
		}
		h->n_addresses = n;
		left += n;
	}
	return left;
}

enum dns_status
reach_limit(struct route *r, char *reason, size_t size)
{
	struct plan_address refused;
	char text[46];

	if (cut_loop(r) && r->n_hosts == 0) {
		(void)snprintf(reason, size, "mail for %s loops back to myself",
		    r->next_hop);
		return DNS_LOOP;
	}
	if (!r->is_fixed && !is_any_allowed && drop_refused(r, &refused) == 0) {
		plan_address_print(&refused, text);
		(void)snprintf(reason, size,
		    "no mail server of %s has a public address, but such as "
		    "%s (smtp_address_policy)",
		    r->next_hop, text);
		return DNS_NOT_PUBLIC;
	}
	return DNS_OK;
}
