#include "target.h"

#include <string.h>

/* All addresses of all hosts of one preference, by family. */
#define GROUP_MAX (PLAN_HOSTS_MAX * PLAN_ADDRESSES_MAX)

struct group {
	struct target v4[GROUP_MAX];
	struct target v6[GROUP_MAX];
	unsigned n4;
	unsigned n6;
};

static void
shuffle(struct target *t, unsigned n, target_random_fn *random, void *arg)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned k = random(arg) % i;
		struct target x = t[i - 1];

		t[i - 1] = t[k];
		t[k] = x;
	}
}

static void
group_add(struct group *g, const struct route *r, unsigned host,
    enum target_family only)
{
	const struct route_host *h = &r->hosts[host];

	for (uint8_t i = 0; i < h->n_addresses; i++) {
		struct target t = { (uint8_t)host, i };

		if (only != TARGET_ANY &&
		    (unsigned)only != h->addresses[i].family) {
			continue;
		}
		if (h->addresses[i].family == 6) {
			g->v6[g->n6++] = t;
		} else {
			g->v4[g->n4++] = t;
		}
	}
}

/* Takes turns between the families. */
static unsigned
interleave(const struct group *g, bool is_v6_first, struct target *out,
    unsigned n, unsigned max)
{
	unsigned i4 = 0;
	unsigned i6 = 0;
	bool is_v6 = is_v6_first;

	while (n < max && (i4 < g->n4 || i6 < g->n6)) {
		if ((is_v6 && i6 < g->n6) || i4 == g->n4) {
			out[n++] = g->v6[i6++];
		} else {
			out[n++] = g->v4[i4++];
		}
		is_v6 = !is_v6;
	}
	return n;
}

unsigned
target_order(const struct route *r, const struct target_rule *rule,
    target_random_fn *random, void *arg, struct target *out)
{
	bool is_v6_first = rule->first == TARGET_ANY ? (random(arg) & 1) != 0
						     : rule->first == TARGET_V6;
	unsigned n = 0;
	unsigned host = 0;

	while (host < r->n_hosts && n < rule->max) {
		uint16_t pref = r->hosts[host].pref;
		struct group g;

		g.n4 = 0;
		g.n6 = 0;
		for (; host < r->n_hosts && r->hosts[host].pref == pref;
		     host++) {
			group_add(&g, r, host, rule->only);
		}
		shuffle(g.v4, g.n4, random, arg);
		shuffle(g.v6, g.n6, random, arg);
		n = interleave(&g, is_v6_first, out, n, rule->max);
	}
	return n;
}
