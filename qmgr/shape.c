#include "shape.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "core_name.h"
#include "core_view.h"
#include "log.h"
#include "map.h"
#include "next_hop.h"
#include "shape_impl.h"

/* Of the recipients of a rate, so much at most in one transaction. */
#define RCPT_PART 20u

#define START_MAX_MS 1000u
#define START_PART_MS 100u /* of each second of a rate's time */

struct shape *
shape_new(struct shaping *conf, const struct shape_env *env)
{
	struct shape *s = mem_alloc(sizeof(*s));

	s->conf = conf;
	s->env = *env;
	s->effects = effects_new();
	s->domains = map_new();
	return s;
}

void
shape_free(struct shape **s)
{
	if (*s == NULL) {
		return;
	}
	shaping_free(&(*s)->conf);
	effects_free(&(*s)->effects);
	map_free(&(*s)->domains, NULL);
	buf_fini(&(*s)->text);
	free(*s);
	*s = NULL;
}

void
shape_restart(struct shape *s, struct core *core)
{
	s->env.core = core;
	effects_free(&s->effects);
	s->effects = effects_new();
	map_free(&s->domains, NULL);
	s->domains = map_new();
}

const struct effects *
shape_effects(const struct shape *s)
{
	return s->effects;
}

const struct shaping *
shape_conf(const struct shape *s)
{
	return s->conf;
}

/* ---- sections ----------------------------------------------------------- */

/* The best host in a site's name, as resolvd makes it: names parted by ',' or
 * ';', or one and '+' and a hash; or the host of a next hop. */
static struct str
best_host(struct str site)
{
	struct next_hop h;
	size_t n = 0;

	(void)next_hop_take_smtps(&site);
	if (site.len != 0 && site.p[0] == '[') {
		const char *end = memchr(site.p, ']', site.len);

		n = end != NULL ? (size_t)(end - site.p) : site.len;
		return (struct str){ site.p + 1, n - 1 };
	}
	while (n < site.len && strchr(",;+", site.p[n]) == NULL) {
		n++;
	}
	site.len = n;
	if (next_hop_parse(site, &h) == 0 && h.port != 0) {
		site.len =
		    (size_t)((const char *)memrchr(site.p, ':', site.len) -
			site.p);
	}
	return site;
}

/* A fixed next hop may be named by its host alone. */
static const struct shaping_section *
named_section(const struct shape *s, struct str site)
{
	const struct shaping_section *own =
	    shaping_section(s->conf, SHAPING_SITE, site);
	bool is_hop = site.len != 0 && memchr(site.p, ':', site.len) != NULL;

	if (own == NULL && (is_hop || (site.len != 0 && site.p[0] == '['))) {
		own = shaping_section(s->conf, SHAPING_SITE, best_host(site));
	}
	return own;
}

const struct shaping_section *
shape_provider_section(const struct shape *s, struct str site)
{
	return shaping_provider(s->conf, best_host(site));
}

const struct shaping_section *
shape_site_section(const struct shape *s, struct str site)
{
	const struct shaping_section *own = named_section(s, site);

	return own != NULL ? own : map_get(s->domains, site);
}

void
shape_base(const struct shape *s, enum core_level level, struct str name,
    struct shaping_limits *l)
{
	const struct shaping_section *n;

	*l = (struct shaping_limits){ 0 };
	if (level == CORE_LEVEL_PROVIDER) {
		n = shaping_section(s->conf, SHAPING_PROVIDER, name);
		if (n != NULL) {
			*l = n->limits;
		}
		return;
	}
	*l = s->conf->sections[0]->limits;
	n = shape_provider_section(s, name);
	if (n != NULL) {
		shaping_limits_clear(l, &n->limits); /* counted there */
	}
	n = shape_site_section(s, name);
	if (n != NULL) {
		shaping_limits_replace(l, &n->limits);
	}
}

bool
shape_limits(const struct shape *s, enum core_level level, struct str name,
    uint64_t now_us, struct shaping_limits *out)
{
	const struct target *t = effects_find(s->effects, level, name, STR(""));

	shape_base(s, level, name, out);
	return t != NULL && target_apply(t, now_us, out);
}

/* ---- limits of the core ------------------------------------------------- */

/* What a rate lets through begins within a tenth of its time, or a second. */
static void
soon(struct core_limits *l, uint32_t per_s)
{
	uint32_t ms = per_s < START_MAX_MS / START_PART_MS
	    ? per_s * START_PART_MS
	    : START_MAX_MS;

	l->start_ms = l->start_ms == 0 || ms < l->start_ms ? ms : l->start_ms;
}

/*
 * A bucket that holds b and fills with r in a time lets b + r through in that
 * time at most: of n, b is kept for the burst and the rest comes evenly, one
 * more because the first of the burst begins the time.
 */
static void
to_core(const struct shaping_limits *l, bool is_paused, struct core_limits *out)
{
	*out = (struct core_limits){ .max_conn = l->connections,
		.conn_msgs = l->conn_messages,
		.conn_s = l->conn_seconds,
		.window = l->window_start,
		.window_max = l->window_limit,
		.is_paused = is_paused };
	if (l->connection_rate.n != 0) {
		const struct shaping_rate *r = &l->connection_rate;

		out->conn_burst = r->burst != 0 ? r->burst : 1;
		out->rate_conns = r->n - out->conn_burst + 1;
		out->rate_conn_s = r->per_s;
		soon(out, r->per_s);
	}
	if (l->messages.n != 0) {
		soon(out, l->messages.per_s);
		out->burst = l->messages.burst != 0 ? l->messages.burst : 1;
		out->rate_msgs = l->messages.n - out->burst + 1;
		out->rate_s = l->messages.per_s;
	}
	if (l->recipients.n != 0) {
		uint32_t n = l->recipients.n / RCPT_PART;

		out->rcpt_burst = l->recipients.burst != 0 ? l->recipients.burst
		    : n > 0				   ? n
							   : 1;
		out->rate_rcpts = l->recipients.n - out->rcpt_burst + 1;
		out->rate_rcpt_s = l->recipients.per_s;
		soon(out, l->recipients.per_s);
	}
}

static void
tell_core(struct shape *s, struct core_object o, const struct core_limits *l)
{
	if (o.index != CORE_NONE) {
		/* It was found just now: it is there. */
		bug_on(core_limits_set(s->env.core, &o, l) < 0);
	}
}

static uint32_t
number_of(const struct shape *s, enum core_level level, struct str name)
{
	return level == CORE_LEVEL_PROVIDER
	    ? core_provider_find(s->env.core, name)
	    : core_site_find(s->env.core, name);
}

static void
apply_all(
    struct shape *s, enum core_level level, struct str name, uint64_t now_us)
{
	struct shaping_limits l;
	struct core_limits c;

	to_core(&l, shape_limits(s, level, name, now_us, &l), &c);
	tell_core(s,
	    (struct core_object){
		.level = level, .index = number_of(s, level, name) },
	    &c);
}

/* The effects for one source address, at every number that it has. */
static void
apply_source(struct shape *s, const struct target *t, uint64_t now_us)
{
	struct shaping_limits l = { 0 };
	struct core_limits c;

	to_core(&l, target_apply(t, now_us, &l), &c);
	for (uint32_t i = 0; i < s->env.sources(s->env.arg); i++) {
		if (str_is(s->env.source_ip(s->env.arg, i), t->source)) {
			tell_core(s,
			    (struct core_object){ .level = t->level,
				.index =
				    number_of(s, t->level, str_of(t->name)),
				.sub = CORE_FROM(i) },
			    &c);
		}
	}
}

void
shape_apply(struct shape *s, const struct target *t, uint64_t now_us)
{
	if (t->source != NULL) {
		apply_source(s, t, now_us);
	} else {
		apply_all(s, t->level, str_of(t->name), now_us);
	}
}

/* A name that is new in the core: all that is known of it. */
static void
begin(struct shape *s, enum core_level level, struct str name, uint64_t now_us)
{
	apply_all(s, level, name, now_us);
	if (effects_count(s->effects) == 0) {
		return;
	}
	for (uint32_t i = 0; i < s->env.sources(s->env.arg); i++) {
		struct str ip = s->env.source_ip(s->env.arg, i);
		const struct target *t = ip.len != 0
		    ? effects_find(s->effects, level, name, ip)
		    : NULL;

		if (t != NULL) {
			apply_source(s, t, now_us);
		}
	}
}

/* ---- names -------------------------------------------------------------- */

uint32_t
shape_site(struct shape *s, struct str site, uint64_t now_us)
{
	bool is_new;
	uint32_t n = core_site(s->env.core, site, &is_new);

	if (is_new) {
		begin(s, CORE_LEVEL_SITE, site, now_us);
	}
	return n;
}

uint32_t
shape_provider(
    struct shape *s, struct str site, struct str known, uint64_t now_us)
{
	const struct shaping_section *n = shape_provider_section(s, site);
	bool is_new;
	uint32_t i;

	if (n != NULL) {
		known = str_of(n->name);
	}
	if (known.len == 0) {
		return CORE_NONE;
	}
	i = core_provider(s->env.core, known, &is_new);
	if (is_new) {
		begin(s, CORE_LEVEL_PROVIDER, known, now_us);
	}
	return i;
}

void
shape_domain(
    struct shape *s, struct str domain, struct str site, uint64_t now_us)
{
	const struct shaping_section *n =
	    shaping_section(s->conf, SHAPING_DOMAIN, domain);

	if (n != NULL && map_get(s->domains, site) != n) {
		(void)map_put(
		    s->domains, site, (void *)(uintptr_t)(const void *)n);
		apply_all(s, CORE_LEVEL_SITE, site, now_us);
	}
}

void
shape_source(struct shape *s, uint32_t source, uint64_t now_us)
{
	struct str ip = s->env.source_ip(s->env.arg, source);
	const struct target *t;
	size_t at = 0;

	while ((t = effects_next(s->effects, &at)) != NULL) {
		if (t->source != NULL && str_is(ip, t->source)) {
			apply_source(s, t, now_us);
		}
	}
}
