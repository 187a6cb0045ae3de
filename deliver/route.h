/*
 * Where mail for a next hop goes: hosts and addresses. A next hop is a
 * domain, "host:port", "[host]" or "[host]:port". Addresses are read here;
 * names are resolvd's, asked once however many jobs wait for the answer.
 */
#ifndef DELIVER_ROUTE_H
#define DELIVER_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "job.h"
#include "plan.h"
#include "tls_policy.h"

struct route_host {
	char name[256];
	uint16_t pref;
	uint8_t n_addresses;
	struct plan_address addresses[PLAN_ADDRESSES_MAX];
	enum tls_tlsa tlsa_state;
	uint8_t n_tlsa;
	struct plan_tlsa *tlsa; /* one allocation with their data */
	char tlsa_name[256];	/* where they are, when not at name */
	bool is_sts_refused;	/* the domain's policy does not name it */
};

struct route {
	unsigned refs;
	bool is_ready;
	enum dns_status status;
	bool is_fixed;	/* smtp_address_policy is not for it */
	bool is_smtps;	/* TLS from the first byte */
	bool is_secure; /* DNSSEC validates which hosts these are */
	char *next_hop;
	char *reason;	     /* for people, when status is not DNS_OK */
	uint16_t port;	     /* 0: smtp_port */
	uint64_t expires_us; /* clock_mono_us */
	uint64_t asked_us;
	enum sts_mode sts_mode; /* of the domain's policy */
	char sts_id[PLAN_STS_ID_MAX + 1];
	char *sts_error;      /* why it could not be fetched; NULL: it was */
	uint64_t sts_retry_s; /* not again before, since 1970 */
	unsigned n_hosts;
	struct route_host *hosts; /* by preference */
	struct job_list waiting;
	TAILQ_HEAD(, route_watch) watchers;
	TAILQ_ENTRY(route) link; /* of those that wait for a resolvd */
};

/* Somebody without a job who wants to know a route. */
struct route_watch {
	TAILQ_ENTRY(route_watch) link;
	struct route *route; /* held */
	bool is_waiting;
	void (*ready)(struct route_watch *w);
};

/* Called for each job when the route it waited for is known. */
typedef void route_ready_fn(struct job *j);
void route_init(route_ready_fn *ready);
void route_fini(void);

/*
 * Gives the job its route (held). True: it is known; false: the job is in
 * the route's list (JOB_ROUTING) until ready is called for it, later.
 */
bool route_assign(struct job *j);

/* Takes a job out of its route's list; it is JOB_NEW then. */
void route_withdraw(struct job *j);

/*
 * The same for a watcher: w->route is set. True: it is known; false: w->ready
 * is called later, once. route_unwatch at any time ends it.
 */
bool route_watch(struct route_watch *w, struct str next_hop, bool is_fixed);
void route_unwatch(struct route_watch *w);

struct route *route_hold(struct route *r);
void route_release(struct route **r); /* NULL allowed */

/* The host of that name among the route's, on the same port, or NULL. */
const struct route_host *route_find_host(
    const struct route *r, const char *name, uint16_t port);

/* What the domain's policy enforces at a host of the route. */
enum tls_sts route_sts(const struct route *r, const struct route_host *h);

uint16_t route_port(const struct route *r);

/*
 * Takes a next hop apart: the port (0: none) and, when it is an address, the
 * address. Returns 0: an address; -ENOENT: a name to be resolved; -EBADMSG:
 * a bad port.
 */
int route_parse(struct str next_hop, uint16_t *port,
    struct plan_address *address) MUST_CHECK;

#endif
