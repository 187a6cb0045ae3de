#include "tls_sites.h"

#include <string.h>

#include "buf.h"
#include "clock.h"
#include "map.h"

#define DAY_US (86400 * US_PER_S)

/* How long nothing is swept when sweeping has made no room, microseconds. */
#define SWEEP_US (3600 * US_PER_S)

struct tls_sites {
	struct map *by_name;
	struct map *hosts; /* of sites where TLS is required, to their number */
	uint64_t swept_us;
};

struct tls_sites *
tls_sites_new(void)
{
	struct tls_sites *t = mem_alloc(sizeof(*t));

	t->by_name = map_new();
	t->hosts = map_new();
	return t;
}

static void
site_free(void *value)
{
	struct tls_site *s = value;

	free(s->name);
	free(s);
}

void
tls_sites_free(struct tls_sites **tp)
{
	if (*tp != NULL) {
		map_free(&(*tp)->by_name, site_free);
		map_free(&(*tp)->hosts, NULL);
		free(*tp);
		*tp = NULL;
	}
}

/* ---- hosts -------------------------------------------------------------- */

/* The next host of a site's name: "a,b;c", or "a+hash". */
static bool
next_host(struct str *rest, struct str *host)
{
	size_t n = 0;

	while (n < rest->len && strchr(",;", rest->p[n]) == NULL) {
		n++;
	}
	if (rest->len == 0) {
		return false;
	}
	*host = (struct str){ rest->p, n };
	n += n < rest->len;
	*rest = (struct str){ rest->p + n, rest->len - n };
	for (size_t i = 0; i < host->len; i++) {
		if (host->p[i] == '+') {
			host->len = i;
		}
	}
	return true;
}

/* Sites that require TLS are counted at each of their hosts. */
static void
count_hosts(struct tls_sites *t, const struct tls_site *s, bool is_more)
{
	struct str rest = str_of(s->name);
	struct str host;

	while (next_host(&rest, &host)) {
		uintptr_t n = (uintptr_t)map_get(t->hosts, host);

		n = is_more ? n + 1 : n - 1;
		if (n == 0) {
			(void)map_del(t->hosts, host);
		} else {
			(void)map_put(t->hosts, host, (void *)n);
		}
	}
}

static void
set_state(struct tls_sites *t, struct tls_site *s, enum tls_site_state state)
{
	bool was = s->state != TLS_SITE_EVIDENCE;
	bool is = state != TLS_SITE_EVIDENCE;

	if (was != is) {
		count_hosts(t, s, is);
	}
	s->state = state;
}

bool
tls_site_has(const struct tls_site *s, struct str host)
{
	struct str rest = str_of(s->name);
	struct str each;

	if (str_is(host, s->name)) {
		return true;
	}
	while (next_host(&rest, &each)) {
		if (str_eq_case(each, host)) {
			return true;
		}
	}
	return false;
}

static bool
is_inherited(const struct tls_sites *t, struct str name)
{
	struct str host;

	while (next_host(&name, &host)) {
		if (map_get(t->hosts, host) != NULL) {
			return true;
		}
	}
	return false;
}

/* ---- sites -------------------------------------------------------------- */

const struct tls_site *
tls_sites_find(const struct tls_sites *t, struct str name)
{
	return map_get(t->by_name, name);
}

const struct tls_site *
tls_sites_next(const struct tls_sites *t, size_t *at)
{
	struct str key;
	void *value;

	return map_next(t->by_name, at, &key, &value) ? value : NULL;
}

bool
tls_sites_is_required(const struct tls_sites *t, struct str name)
{
	const struct tls_site *s = tls_sites_find(t, name);

	return s != NULL ? s->state != TLS_SITE_EVIDENCE
			 : is_inherited(t, name);
}

/* The site, made when it is new; as learned, when that is inherited. */
static struct tls_site *
get(struct tls_sites *t, struct str name)
{
	struct tls_site *s = map_get(t->by_name, name);
	bool is_learned;

	if (s == NULL) {
		is_learned = is_inherited(t, name);
		s = mem_alloc(sizeof(*s));
		s->name = str_dup(name);
		(void)map_put(t->by_name, name, s);
		if (is_learned) {
			set_state(t, s, TLS_SITE_LEARNED);
		}
	}
	return s;
}

/* Drops what has not shown anything since the day before. */
static void
sweep(struct tls_sites *t, uint64_t now_us)
{
	uint32_t today = (uint32_t)(now_us / DAY_US);
	struct str key;
	void *value;
	size_t at = 0;

	if (t->swept_us != 0 && now_us - t->swept_us < SWEEP_US) {
		return;
	}
	t->swept_us = now_us;
	while (map_next(t->by_name, &at, &key, &value)) {
		struct tls_site *s = value;

		if (s->state == TLS_SITE_EVIDENCE && s->last_day + 1 < today) {
			(void)map_del(t->by_name, key);
			site_free(s);
		}
	}
}

static bool
has_room(struct tls_sites *t, const struct tls_learn *l, uint64_t now_us)
{
	if (map_len(t->by_name) >= l->limit) {
		sweep(t, now_us);
	}
	return map_len(t->by_name) < l->limit;
}

static bool
add_source(struct tls_site *s, struct str source)
{
	uint32_t hash = (uint32_t)str_hash(source, 0);

	for (uint32_t i = 0; i < s->n_sources; i++) {
		if (s->sources[i] == hash) {
			return false;
		}
	}
	if (s->n_sources == TLS_SITE_SOURCES) {
		return false;
	}
	s->sources[s->n_sources++] = hash;
	return true;
}

static bool
is_enough(const struct tls_site *s, const struct tls_learn *l)
{
	return s->successes >= l->successes && s->days >= l->days &&
	    s->n_sources >= l->sources;
}

enum tls_site_change
tls_sites_success(struct tls_sites *t, const struct tls_learn *l,
    struct str name, struct str source, uint64_t now_us)
{
	uint32_t day = (uint32_t)(now_us / DAY_US);
	struct tls_site *s = map_get(t->by_name, name);
	bool is_new_day;
	bool is_news;

	if (s == NULL && (!l->is_on || !has_room(t, l, now_us))) {
		return TLS_SITE_SAME;
	}
	s = get(t, name);
	is_new_day = s->last_day != day;
	is_news = add_source(s, source) || is_new_day;
	s->first_us = s->successes == 0 ? now_us : s->first_us;
	s->successes += s->successes < UINT32_MAX;
	s->days += is_new_day;
	s->last_day = day;
	if (s->state == TLS_SITE_EVIDENCE && l->is_on && is_enough(s, l)) {
		set_state(t, s, TLS_SITE_LEARNED);
		s->learned_us = now_us;
		return TLS_SITE_PROMOTED;
	}
	if (s->is_violated) {
		s->is_violated = false;
		return TLS_SITE_RECOVERED;
	}
	/* A crash may cost what was counted since, which is little. */
	return is_news || s->successes % 16 == 0 ? TLS_SITE_CHANGED
						 : TLS_SITE_SAME;
}

static void
forget_evidence(struct tls_site *s)
{
	s->successes = 0;
	s->days = 0;
	s->last_day = 0;
	s->n_sources = 0;
	s->first_us = 0;
	s->is_violated = false;
}

enum tls_site_change
tls_sites_clear(struct tls_sites *t, struct str name)
{
	struct tls_site *s = map_get(t->by_name, name);

	/* At others the administrator, or a message under way since before,
	 * has said so; that proves nothing about the site. */
	if (s == NULL || s->state != TLS_SITE_EVIDENCE || s->successes == 0) {
		return TLS_SITE_SAME;
	}
	forget_evidence(s);
	return TLS_SITE_CHANGED;
}

enum tls_site_change
tls_sites_violation(struct tls_sites *t, struct str name, uint64_t now_us)
{
	struct tls_site *s;

	/* Pardoned while the message was under way. */
	if (!tls_sites_is_required(t, name)) {
		return TLS_SITE_SAME;
	}
	s = get(t, name);
	s->violations += s->violations < UINT32_MAX;
	s->violated_us = now_us;
	if (s->is_violated) {
		return TLS_SITE_SAME;
	}
	s->is_violated = true;
	return TLS_SITE_VIOLATED;
}

void
tls_sites_pin(struct tls_sites *t, struct str name, uint64_t now_us)
{
	struct tls_site *s = get(t, name);

	s->learned_us = now_us;
	set_state(t, s, TLS_SITE_PINNED);
}

void
tls_sites_pardon(struct tls_sites *t, struct str name)
{
	struct tls_site *s = get(t, name);

	set_state(t, s, TLS_SITE_EVIDENCE);
	forget_evidence(s);
	s->learned_us = 0;
}

void
tls_sites_restore(
    struct tls_sites *t, struct str name, const struct tls_site *from)
{
	struct tls_site *s = get(t, name);
	char *own = s->name;

	set_state(t, s, from->state);
	*s = *from;
	s->name = own;
}
