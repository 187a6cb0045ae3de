#include "guard.h"

#include <string.h>
#include <sys/socket.h>

#include "buf.h"
#include "domain.h"
#include "map.h"

/* Networks of one account; those beyond are not told from strangers. */
#define NETWORKS_MAX 10000

/* As bytes, so that they can be compared. */
struct prefix {
	uint8_t family;
	uint8_t addr[8];
};

struct pressed {
	uint32_t account;
	unsigned failures;
	uint64_t failed_us; /* the last one */
	bool has_networks;
	struct map *networks; /* struct prefix to anything */
};

struct guard {
	struct map *accounts; /* id to struct pressed */
};

static void
pressed_free(void *p)
{
	struct pressed *x = p;

	map_free(&x->networks, NULL);
	free(x);
}

struct guard *
guard_new(void)
{
	struct guard *g = mem_alloc(sizeof(*g));

	g->accounts = map_new();
	return g;
}

void
guard_free(struct guard **gp)
{
	struct guard *g = *gp;

	*gp = NULL;
	if (g != NULL) {
		map_free(&g->accounts, pressed_free);
		free(g);
	}
}

static bool
is_old(const struct pressed *x, uint64_t now_us, uint64_t time_us)
{
	return now_us > x->failed_us && now_us - x->failed_us > time_us;
}

unsigned
guard_fail(struct guard *g, uint32_t account, uint64_t now_us, uint64_t time_us)
{
	struct pressed *x = map_get_u64(g->accounts, account);

	if (x == NULL) {
		x = mem_alloc(sizeof(*x));
		x->account = account;
		x->networks = map_new();
		(void)map_put_u64(g->accounts, account, x); /* new */
	} else if (is_old(x, now_us, time_us)) {
		x->failures = 0;
	}
	x->failures += x->failures < UINT32_MAX;
	x->failed_us = now_us;
	return x->failures;
}

bool
guard_is_pressed(const struct guard *g, uint32_t account, unsigned limit,
    uint64_t now_us, uint64_t time_us)
{
	const struct pressed *x = map_get_u64(g->accounts, account);

	return limit != 0 && x != NULL && x->failures >= limit &&
	    !is_old(x, now_us, time_us);
}

bool
guard_has_networks(const struct guard *g, uint32_t account)
{
	const struct pressed *x = map_get_u64(g->accounts, account);

	return x != NULL && x->has_networks;
}

static bool
make_prefix(struct str ip, struct prefix *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct domain_ip a;

	*out = (struct prefix){ 0 };
	if (ip.len == 0 || domain_ip_parse(ip.p, ip.len, &a) < 0) {
		return false;
	}
	if (a.family == AF_INET6 && memcmp(a.addr, mapped, 12) == 0) {
		a.family = AF_INET;
		memmove(a.addr, a.addr + 12, 4);
	}
	out->family = (uint8_t)a.family;
	memcpy(out->addr, a.addr, a.family == AF_INET ? 3 : 8);
	return true;
}

static struct str
bytes_of(const struct prefix *p)
{
	return (struct str){ (const char *)p, sizeof(*p) };
}

void
guard_good(struct guard *g, uint32_t account, struct str ip)
{
	struct pressed *x = map_get_u64(g->accounts, account);
	struct prefix p;

	if (x == NULL) {
		return;
	}
	if (ip.len == 0) {
		x->has_networks = true;
	} else if (make_prefix(ip, &p) && map_len(x->networks) < NETWORKS_MAX) {
		(void)map_put(x->networks, bytes_of(&p), x);
	}
}

bool
guard_is_good(const struct guard *g, uint32_t account, struct str ip)
{
	const struct pressed *x = map_get_u64(g->accounts, account);
	struct prefix p;

	return x != NULL && make_prefix(ip, &p) &&
	    map_get(x->networks, bytes_of(&p)) != NULL;
}

void
guard_sweep(struct guard *g, uint64_t now_us, uint64_t time_us)
{
	struct str key;
	void *value;
	size_t at = 0;

	while (map_next(g->accounts, &at, &key, &value)) {
		struct pressed *x = value;

		if (is_old(x, now_us, time_us)) {
			(void)map_del_u64(g->accounts, x->account);
			pressed_free(x);
		}
	}
}
