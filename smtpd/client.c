#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "conf.h"
#include "map.h"
#include "service.h"
#include "str.h"

/* With so many addresses known, those of no interest are forgotten. */
#define SWEEP_FROM 4096
#define MINUTE_US (60 * US_PER_S)

struct network {
	struct domain_ip ip;
	unsigned bits;
};

struct client {
	char ip[46];
	bool is_trusted;
	unsigned connections;
	unsigned failures;
	uint64_t failed_us;  /* the last one, monotonic */
	uint64_t good_us;    /* the last login that did not fail; 0: none */
	uint64_t refused_us; /* its minute of refusals began, monotonic */
	uint64_t n_refused;  /* in it; 0: none of late */
};

static struct network *networks;
static size_t n_networks;
static struct map *clients;
static size_t sweep_at = SWEEP_FROM;

/* ::ffff:192.0.2.1 is the client 192.0.2.1. */
static struct domain_ip
unmap(const struct domain_ip *ip)
{
	static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
		0xff };
	struct domain_ip out = *ip;

	if (ip->family == AF_INET6 && memcmp(ip->addr, prefix, 12) == 0) {
		out = (struct domain_ip){ .family = AF_INET };
		memcpy(out.addr, ip->addr + 12, 4);
	}
	return out;
}

static bool
network_has(const struct network *n, const struct domain_ip *ip)
{
	unsigned bytes = n->bits / 8;
	unsigned rest = n->bits % 8;

	if (n->ip.family != ip->family ||
	    memcmp(n->ip.addr, ip->addr, bytes) != 0) {
		return false;
	}
	return rest == 0 ||
	    ((n->ip.addr[bytes] ^ ip->addr[bytes]) >> (8 - rest)) == 0;
}

/* A word of mynetworks: address, address/bits, [v6]/bits. */
static int
add_network(void *arg, const char *word, size_t len)
{
	struct str w = { word, len };
	struct str address;
	struct network n = { 0 };
	uint64_t bits;
	bool has_bits;
	unsigned most;

	(void)arg;
	has_bits = memchr(word, '/', len) != NULL;
	(void)str_split(&w, '/', &address);
	if (address.len > 2 && address.p[0] == '[' &&
	    address.p[address.len - 1] == ']') {
		address.p++;
		address.len -= 2;
	}
	if (domain_ip_parse(address.p, address.len, &n.ip) < 0) {
		return -EINVAL;
	}
	most = n.ip.family == AF_INET ? 32 : 128;
	bits = most;
	if (has_bits && str_u64(w, most, &bits) < 0) {
		return -EINVAL;
	}
	n.bits = (unsigned)bits;
	networks = mem_resize(networks, (n_networks + 1) * sizeof(n));
	networks[n_networks++] = n;
	return 0;
}

int
client_init(const char *list, const char **bad)
{
	clients = map_new();
	if (conf_list_each(list, add_network, NULL) != 0) {
		*bad = list;
		return -EINVAL;
	}
	return 0;
}

void
client_fini(void)
{
	if (clients != NULL) {
		map_free(&clients, free);
	}
	free(networks);
	networks = NULL;
	n_networks = 0;
}

bool
client_is_trusted(const struct domain_ip *ip)
{
	struct domain_ip plain = unmap(ip);

	for (size_t i = 0; i < n_networks; i++) {
		if (network_has(&networks[i], &plain)) {
			return true;
		}
	}
	return false;
}

static void
forget_old(struct client *c)
{
	if (c->failures != 0 &&
	    clock_mono_us() - c->failed_us >
		conf()->smtpd_client_auth_failure_time) {
		c->failures = 0;
	}
	if (c->n_refused != 0 && clock_mono_us() - c->refused_us >= MINUTE_US) {
		c->n_refused = 0;
	}
}

/* Did somebody with a good key come from there of late? */
static bool
is_good(const struct client *c)
{
	return c->good_us != 0 &&
	    clock_mono_us() - c->good_us <=
	    conf()->smtpd_client_auth_failure_time;
}

static bool
is_of_no_interest(const struct client *c)
{
	return c->connections == 0 && c->failures == 0 && c->n_refused == 0 &&
	    !is_good(c);
}

static void
drop(struct client *c)
{
	(void)map_del(clients, str_of(c->ip));
	free(c);
}

/* Keeps the table bounded by what is connected or failed of late. */
static void
sweep(void)
{
	size_t at = 0;
	struct str key;
	void *value;

	if (map_len(clients) < sweep_at) {
		return;
	}
	while (map_next(clients, &at, &key, &value)) {
		struct client *c = value;

		forget_old(c);
		if (is_of_no_interest(c)) {
			drop(c);
		}
	}
	sweep_at = map_len(clients) * 2;
	if (sweep_at < SWEEP_FROM) {
		sweep_at = SWEEP_FROM;
	}
}

static const char *
check_limits(const struct client *c)
{
	uint64_t most = conf()->smtpd_client_connection_count_limit;
	uint64_t failures = conf()->smtpd_client_auth_failure_limit;

	if (c->is_trusted) {
		return NULL;
	}
	if (most != 0 && c->connections >= most) {
		return "421 4.7.0 Error: too many connections from your "
		       "address";
	}
	if (failures != 0 && c->failures >= failures && !is_good(c)) {
		return "421 4.7.0 Error: too many failed logins from your "
		       "address";
	}
	return NULL;
}

struct client *
client_enter(const char *ip, bool is_trusted, const char **why)
{
	struct client *c = map_get(clients, str_of(ip));

	if (c == NULL) {
		sweep();
		c = mem_alloc(sizeof(*c));
		str_copy(c->ip, sizeof(c->ip), str_of(ip));
		(void)map_put(clients, str_of(c->ip), c);
	}
	c->is_trusted = is_trusted;
	forget_old(c);
	*why = check_limits(c);
	if (*why != NULL) {
		return NULL;
	}
	c->connections++;
	return c;
}

void
client_leave(struct client *c)
{
	bug_on(c->connections == 0);
	c->connections--;
	if (is_of_no_interest(c)) {
		drop(c);
	}
}

void
client_note_failure(struct client *c)
{
	c->failures++;
	c->failed_us = clock_mono_us();
}

void
client_note_login(struct client *c)
{
	c->good_us = clock_mono_us();
}

bool
client_note_refusal(struct client *c)
{
	forget_old(c);
	if (c->n_refused >= conf()->submission_log_client_limit) {
		return false;
	}
	if (c->n_refused++ == 0) {
		c->refused_us = clock_mono_us();
	}
	return true;
}
