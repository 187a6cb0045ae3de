#include "route.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "domain.h"
#include "ipc.h"
#include "log.h"
#include "loop.h"
#include "map.h"
#include "next_hop.h"
#include "reach.h"
#include "service.h"
#include "tls.h"

/* resolvd's own word on how long an answer holds is kept within these. */
#define TTL_MIN_S 1
#define TTL_MAX_S 3600
/* How soon a resolvd that was not there is looked for again. */
#define RETRY_US (100 * US_PER_MS)

/* Longest key: a sign for fixed ones, and the next hop (ipc.def). */
#define KEY_MAX 302

static struct map *routes; /* by key; each is held once */
static route_ready_fn *on_ready;
/* Routes whose question waits for a resolvd; each is held. */
static TAILQ_HEAD(, route) unasked;
static struct loop_timer *retry;

static void ask_again(void *arg);

void
route_init(route_ready_fn *ready)
{
	routes = map_new();
	on_ready = ready;
	TAILQ_INIT(&unasked);
	retry = loop_timer_new(ask_again, NULL);
}

static void
route_forget(void *value)
{
	struct route *r = value;

	route_release(&r);
}

void
route_fini(void)
{
	struct route *r;

	loop_timer_free(&retry);
	while ((r = TAILQ_FIRST(&unasked)) != NULL) {
		TAILQ_REMOVE(&unasked, r, link);
		route_release(&r);
	}
	if (routes != NULL) {
		map_free(&routes, route_forget);
	}
}

struct route *
route_hold(struct route *r)
{
	r->refs++;
	return r;
}

void
route_release(struct route **rp)
{
	struct route *r = *rp;

	if (r == NULL) {
		return;
	}
	*rp = NULL;
	if (--r->refs == 0) {
		bug_on(!TAILQ_EMPTY(&r->waiting) || !TAILQ_EMPTY(&r->watchers));
		free(r->next_hop);
		free(r->reason);
		free(r->sts_error);
		for (unsigned i = 0; i < r->n_hosts; i++) {
			free(r->hosts[i].tlsa);
		}
		free(r->hosts);
		free(r);
	}
}

static int
parse_port(struct str s, uint16_t *port)
{
	uint64_t n;

	if (s.len == 0) {
		return 0;
	}
	s.p++;
	s.len--;
	if (str_u64(s, 65535, &n) < 0 || n == 0) {
		return -EBADMSG;
	}
	*port = (uint16_t)n;
	return 0;
}

static int
parse_address(struct str s, struct plan_address *out)
{
	struct domain_ip ip;

	if (s.len > 5 && str_eq_case((struct str){ s.p, 5 }, STR("IPv6:"))) {
		s = (struct str){ s.p + 5, s.len - 5 };
	}
	if (domain_ip_parse(s.p, s.len, &ip) < 0) {
		return -ENOENT;
	}
	*out = (struct plan_address){ .family = ip.family == AF_INET6 ? 6 : 4 };
	memcpy(out->b, ip.addr, ip.family == AF_INET6 ? 16 : 4);
	return 0;
}

int
route_parse(struct str hop, uint16_t *port, struct plan_address *address)
{
	const char *end;
	const char *close;
	const char *colon;

	*port = next_hop_take_smtps(&hop) ? SMTPS_PORT : 0;
	if (hop.len == 0) {
		return -ENOENT;
	}
	end = hop.p + hop.len;
	close = hop.p[0] == '[' ? memchr(hop.p, ']', hop.len) : NULL;
	if (close != NULL) {
		colon = close + 1;
		if (colon < end && *colon != ':') {
			return -EBADMSG;
		}
		if (parse_port((struct str){ colon, (size_t)(end - colon) },
			port) < 0) {
			return -EBADMSG;
		}
		return parse_address(
		    (struct str){ hop.p + 1, (size_t)(close - hop.p) - 1 },
		    address);
	}
	colon = memchr(hop.p, ':', hop.len);
	if (colon != NULL &&
	    memchr(colon + 1, ':', (size_t)(end - colon) - 1) == NULL) {
		if (parse_port((struct str){ colon, (size_t)(end - colon) },
			port) < 0) {
			return -EBADMSG;
		}
		hop.len = (size_t)(colon - hop.p);
	}
	return parse_address(hop, address);
}

uint16_t
route_port(const struct route *r)
{
	return r->port != 0 ? r->port : (uint16_t)conf()->smtp_port;
}

const struct route_host *
route_find_host(const struct route *r, const char *name, uint16_t port)
{
	if (!r->is_ready || route_port(r) != port) {
		return NULL;
	}
	for (unsigned i = 0; i < r->n_hosts; i++) {
		if (str_eq_case(str_of(r->hosts[i].name), str_of(name))) {
			return &r->hosts[i];
		}
	}
	return NULL;
}

enum tls_sts
route_sts(const struct route *r, const struct route_host *h)
{
	if (r->sts_mode != STS_ENFORCE) {
		return TLS_STS_FREE;
	}
	return h->is_sts_refused ? TLS_STS_REFUSED : TLS_STS_NAMED;
}

static struct route *
route_new(struct str next_hop, bool is_fixed)
{
	struct route *r = mem_alloc(sizeof(*r));

	r->refs = 1;
	r->next_hop = str_dup(next_hop);
	r->is_fixed = is_fixed;
	r->is_smtps = next_hop_take_smtps(&next_hop);
	r->asked_us = clock_mono_us();
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->watchers);
	return r;
}

static void
set_reason(struct route *r, struct str reason)
{
	char text[512];

	free(r->reason);
	r->reason = mem_strdup(str_safe(text, sizeof(text), reason));
}

static void
set_expiry(struct route *r, uint32_t ttl_s)
{
	uint64_t s = ttl_s;

	s = s < TTL_MIN_S ? TTL_MIN_S : s;
	s = s > TTL_MAX_S ? TTL_MAX_S : s;
	r->expires_us = clock_mono_us() + s * US_PER_S;
}

static void
set_literal(struct route *r, const struct plan_address *a)
{
	r->hosts = mem_alloc(sizeof(*r->hosts));
	r->n_hosts = 1;
	r->hosts[0].n_addresses = 1;
	r->hosts[0].addresses[0] = *a;
	plan_address_print(a, r->hosts[0].name);
	r->is_ready = true;
	r->expires_us = UINT64_MAX;
}

static int
by_preference(const void *a, const void *b)
{
	const struct route_host *x = a;
	const struct route_host *y = b;

	return (x->pref > y->pref) - (x->pref < y->pref);
}

static enum tls_tlsa
tlsa_state(const struct plan_host *h)
{
	if (!h->is_secure) {
		return TLSA_NONE;
	}
	if (h->tlsa_status != DNS_OK) {
		return h->tlsa_status == DNS_NXDOMAIN ? TLSA_NONE
						      : TLSA_UNKNOWN;
	}
	for (unsigned i = 0; i < h->n_tlsa; i++) {
		if (tls_tlsa_is_usable(&h->tlsa[i])) {
			return TLSA_USABLE;
		}
	}
	return TLSA_UNUSABLE;
}

static void
keep_tlsa(struct route_host *to, const struct plan_host *h)
{
	size_t size = h->n_tlsa * sizeof(*to->tlsa);
	size_t total = size;
	char *data;

	to->tlsa_state = tlsa_state(h);
	to->n_tlsa = 0;
	to->tlsa = NULL;
	(void)str_safe(to->tlsa_name, sizeof(to->tlsa_name), h->tlsa_name);
	if (to->tlsa_state != TLSA_USABLE) {
		return;
	}
	for (unsigned i = 0; i < h->n_tlsa; i++) {
		total += h->tlsa[i].data.len;
	}
	to->tlsa = mem_alloc(total);
	to->n_tlsa = h->n_tlsa;
	data = (char *)to->tlsa + size;
	for (unsigned i = 0; i < h->n_tlsa; i++) {
		to->tlsa[i] = h->tlsa[i];
		to->tlsa[i].data.p = data;
		memcpy(data, h->tlsa[i].data.p, h->tlsa[i].data.len);
		data += h->tlsa[i].data.len;
	}
}

static void
set_hosts(struct route *r, struct str plan)
{
	struct plan_host h;

	while (r->n_hosts < PLAN_HOSTS_MAX && plan_host_next(&plan, &h)) {
		struct route_host *to;

		r->hosts =
		    mem_resize(r->hosts, (r->n_hosts + 1) * sizeof(*r->hosts));
		to = &r->hosts[r->n_hosts++];
		(void)str_safe(to->name, sizeof(to->name), h.name);
		to->pref = h.pref;
		to->n_addresses = h.n_addresses;
		memcpy(to->addresses, h.addresses, sizeof(to->addresses));
		to->is_sts_refused = h.is_sts_refused;
		keep_tlsa(to, &h);
	}
	if (r->n_hosts > 1) {
		qsort(r->hosts, r->n_hosts, sizeof(*r->hosts), by_preference);
	}
}

/* Leaves out what must not be connected to. */
static void
set_limits(struct route *r)
{
	char reason[512];

	if (r->status == DNS_OK) {
		r->status = reach_limit(r, reason, sizeof(reason));
		if (r->status != DNS_OK) {
			set_reason(r, str_of(reason));
		}
	}
}

/* The jobs may end others on their way, so the list is taken bit by bit. */
static void
tell_waiting(struct route *r)
{
	uint32_t ms = (uint32_t)((clock_mono_us() - r->asked_us) / US_PER_MS);
	struct route_watch *w;
	struct job *j;

	r->is_ready = true;
	(void)route_hold(r);
	while ((j = TAILQ_FIRST(&r->waiting)) != NULL) {
		route_withdraw(j);
		j->dns_ms = ms;
		on_ready(j);
	}
	while ((w = TAILQ_FIRST(&r->watchers)) != NULL) {
		TAILQ_REMOVE(&r->watchers, w, link);
		w->is_waiting = false;
		w->ready(w);
	}
	route_release(&r);
}

static void
fail(struct route *r, enum dns_status status, struct str reason)
{
	r->status = status;
	set_reason(r, reason);
	set_expiry(r, 0);
}

static void
set_sts(struct route *r, const struct ipc_plan_rep *rep)
{
	char error[256];

	r->sts_mode = rep->sts_mode <= STS_ENFORCE
	    ? (enum sts_mode)rep->sts_mode
	    : STS_NONE;
	(void)str_safe(r->sts_id, sizeof(r->sts_id), rep->sts_id);
	free(r->sts_error);
	r->sts_error = rep->sts_error.len > 0
	    ? mem_strdup(str_safe(error, sizeof(error), rep->sts_error))
	    : NULL;
	r->sts_retry_s = rep->sts_retry_s;
}

static void
set_plan(struct route *r, const struct ipc_plan_rep *rep)
{
	r->status = (enum dns_status)rep->status;
	r->is_secure = rep->is_secure != 0;
	set_reason(r, rep->reason);
	set_expiry(r, rep->ttl_s);
	set_hosts(r, rep->plan);
	set_sts(r, rep);
	if (r->status == DNS_OK && r->n_hosts == 0) {
		r->status = DNS_NO_ADDRESS;
	}
	set_limits(r);
}

/* What is left of the time for an answer; 0: none. */
static uint64_t
time_left(const struct route *r)
{
	uint64_t waited = clock_mono_us() - r->asked_us;

	return waited < conf()->deliver_plan_timeout
	    ? conf()->deliver_plan_timeout - waited
	    : 0;
}

static void
on_plan(void *arg, enum ipc_type type, const void *m)
{
	struct route *r = arg;

	if (type != IPC_plan_rep && time_left(r) != 0) {
		/* resolvd has died: the next one is asked, and the
		 * destination has done nothing wrong. */
		TAILQ_INSERT_TAIL(&unasked, r, link);
		if (!loop_timer_is_armed(retry)) {
			loop_timer_arm(retry, RETRY_US);
		}
		return;
	}
	if (type == IPC_plan_rep) {
		set_plan(r, m);
	} else {
		fail(r, DNS_TEMPORARY, STR("the resolver did not answer"));
	}
	tell_waiting(r);
	route_release(&r); /* held since begin() */
}

/* r is held until on_plan or, after -EMSGSIZE, by the caller. */
static int
ask(struct route *r)
{
	struct ipc_plan_req m = { .next_hop = str_of(r->next_hop) };
	uint64_t left_us = time_left(r);
	int e = -ETIMEDOUT;

	if (left_us != 0) {
		e = peer_call(service_peer(ROLE_RESOLVD, 0), IPC_plan_req, &m,
		    -1, left_us, on_plan, r, NULL);
	}
	if (e < 0 && e != -EMSGSIZE) {
		on_plan(r, (enum ipc_type)0, NULL);
		e = 0;
	}
	return e;
}

static void
ask_again(void *arg)
{
	TAILQ_HEAD(, route) all = TAILQ_HEAD_INITIALIZER(all);
	struct route *r;

	(void)arg;
	TAILQ_CONCAT(&all, &unasked, link);
	while ((r = TAILQ_FIRST(&all)) != NULL) {
		TAILQ_REMOVE(&all, r, link);
		/* The name was not too long before. */
		bug_on(ask(r) < 0);
	}
}

static void
begin(struct route *r)
{
	struct plan_address a;

	switch (route_parse(str_of(r->next_hop), &r->port, &a)) {
	case 0:
		set_literal(r, &a);
		set_limits(r);
		break;
	case -ENOENT:
		if (ask(route_hold(r)) < 0) {
			struct route *held = r;

			route_release(&held);
			fail(r, DNS_BAD_NAME, STR("too long"));
			r->is_ready = true;
		}
		break;
	default:
		fail(r, DNS_BAD_NAME, STR("bad port"));
		r->is_ready = true;
	}
}

/* Makes room when the cache is full: what has expired, else anything. */
static void
evict(void)
{
	uint64_t now = clock_mono_us();
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(routes, &at, &key, &value)) {
		struct route *r = value;

		if (r->is_ready && r->expires_us <= now) {
			(void)map_del(routes, key);
			route_release(&r);
		}
	}
	at = 0;
	while (map_len(routes) >= conf()->deliver_plan_cache_limit &&
	    map_next(routes, &at, &key, &value)) {
		struct route *r = value;

		if (r->is_ready) {
			(void)map_del(routes, key);
			route_release(&r);
		}
	}
}

static struct route *
find(struct str next_hop, bool is_fixed)
{
	char text[KEY_MAX];
	struct str key = { text, next_hop.len + 1 };
	struct route *r;

	bug_on(key.len > sizeof(text)); /* ipc.def has the limit */
	text[0] = is_fixed ? '=' : '?';
	if (next_hop.len > 0) {
		memcpy(text + 1, next_hop.p, next_hop.len);
	}
	r = map_get(routes, key);
	if (r != NULL && r->is_ready && r->expires_us <= clock_mono_us()) {
		(void)map_del(routes, key);
		route_release(&r);
	}
	if (r == NULL) {
		if (map_len(routes) >= conf()->deliver_plan_cache_limit) {
			evict();
		}
		r = route_new(next_hop, is_fixed);
		(void)map_put(routes, key, r);
		begin(r);
	}
	return r;
}

bool
route_assign(struct job *j)
{
	j->route = route_hold(find(j->next_hop, j->is_fixed));
	if (j->route->is_ready) {
		return true;
	}
	j->state = JOB_ROUTING;
	TAILQ_INSERT_TAIL(&j->route->waiting, j, link);
	return false;
}

void
route_withdraw(struct job *j)
{
	TAILQ_REMOVE(&j->route->waiting, j, link);
	j->state = JOB_NEW;
}

bool
route_watch(struct route_watch *w, struct str next_hop, bool is_fixed)
{
	w->route = route_hold(find(next_hop, is_fixed));
	w->is_waiting = !w->route->is_ready;
	if (w->is_waiting) {
		TAILQ_INSERT_TAIL(&w->route->watchers, w, link);
	}
	return !w->is_waiting;
}

void
route_unwatch(struct route_watch *w)
{
	if (w->is_waiting) {
		TAILQ_REMOVE(&w->route->watchers, w, link);
		w->is_waiting = false;
	}
	route_release(&w->route);
}
