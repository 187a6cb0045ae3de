/*
 * pbqueue suspend, resume, limit: what an administrator does to a site or
 * provider. The tool hears of success when the journal has it.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "core_name.h"
#include "log.h"
#include "paths.h"
#include "qmgr.h"
#include "shape.h"
#include "sources.h"
#include "tools.h"

#define SECONDS_MAX (366 * 86400)

struct order {
	struct run run;
	json_t *done; /* what is said then */
};

/* The object that a name stands for. */
struct named {
	enum core_level level;
	struct str name;
};

static void
order_free(struct run *r)
{
	struct order *o = container_of(r, struct order, run);

	json_decref(o->done);
	free(o);
}

/* The run may be gone by now: it is looked for. */
static void
on_durable(void *arg, uint64_t lsn, uint64_t run, uint64_t zero)
{
	struct run *r = runs_first(arg);
	struct order *o;

	(void)lsn;
	(void)zero;
	while (r != NULL && (uint64_t)(uintptr_t)r != run) {
		r = r->next;
	}
	if (r == NULL) {
		return;
	}
	o = container_of(r, struct order, run);
	tool_out(r->tool, json_incref(o->done));
	tool_end(r->tool, EX_OK, NULL);
	run_end(r);
}

/* ---- names -------------------------------------------------------------- */

static bool
is_target(const struct qmgr *q, enum core_level level, struct str name)
{
	const struct effects *all = shape_effects(paths_shape(q));
	const struct target *t;
	size_t at = 0;

	while ((t = effects_next(all, &at)) != NULL) {
		if (t->level == level && str_is(name, t->name)) {
			return true;
		}
	}
	return false;
}

static bool
find_domain(const struct qmgr *q, struct str name, struct str *site)
{
	uint32_t domain = core_domain_find(q->core, name);
	struct core_domain_view v;
	uint32_t at = domain - 1;

	if (domain == CORE_NONE || core_domain_next(q->core, &at, &v) != 1 ||
	    v.domain != domain || v.site == CORE_NONE) {
		return false;
	}
	*site = core_site_name(q->core, v.site);
	return true;
}

/*
 * A site, a provider of shaping.cf, a domain (its site), a provider that only
 * resolvd names.
 */
static bool
find_name(const struct qmgr *q, struct str name, struct named *out)
{
	const struct shaping *conf = shape_conf(paths_shape(q));
	const struct shaping_section *n;

	*out = (struct named){ .level = CORE_LEVEL_SITE, .name = name };
	if (core_site_find(q->core, name) != CORE_NONE ||
	    is_target(q, CORE_LEVEL_SITE, name)) {
		return true;
	}
	n = shaping_section(conf, SHAPING_PROVIDER, name);
	if (n != NULL) {
		out->level = CORE_LEVEL_PROVIDER;
		out->name = str_of(n->name);
		return true;
	}
	if (find_domain(q, name, &out->name)) {
		return true;
	}
	out->level = CORE_LEVEL_PROVIDER;
	return core_provider_find(q->core, name) != CORE_NONE ||
	    is_target(q, CORE_LEVEL_PROVIDER, name);
}

/* ---- the commands ------------------------------------------------------- */

/* When it ends; false: the tool is told that the time is wrong. */
static bool
take_end(struct qmgr *q, struct tool *t, uint64_t *until_us)
{
	json_t *v = json_object_get(tool_args(t), "seconds");
	json_int_t n = json_integer_value(v);

	if (v == NULL || n == 0) {
		*until_us = EFFECT_LASTING;
		return true;
	}
	if (n < 0 || n > SECONDS_MAX) {
		tool_end(t, EX_USAGE, "the time must be from 1s to 366d");
		return false;
	}
	*until_us = qmgr_now(q) + (uint64_t)n * US_PER_S;
	return true;
}

static void
finish(struct qmgr *q, struct tool *t, const struct named *n, const char *what,
    uint32_t count)
{
	struct order *o = mem_alloc(sizeof(*o));
	char safe[256];

	(void)str_safe(safe, sizeof(safe), n->name);
	o->done = json_pack("{s:s,s:s,s:I}", "done", what,
	    n->level == CORE_LEVEL_PROVIDER ? "provider" : "site", safe,
	    "effects", (json_int_t)count);
	log_info("%s %s: %s by uid %u",
	    n->level == CORE_LEVEL_PROVIDER ? "provider" : "site", safe, what,
	    tool_uid(t));
	run_begin(&o->run, q, t, order_free, NULL);
	paths_wake(q);
	jrn_after(q->jrn, on_durable, (uint64_t)(uintptr_t)&o->run, 0);
}

static bool
take_limits(struct tool *t, struct shaping_limits *l)
{
	struct buf why = { 0 };
	bool is_right =
	    shaping_limits_parse(l, str_of(tool_arg(t, "limits")), &why) == 0;

	if (!is_right) {
		tool_end(
		    t, EX_USAGE, "%.*s", (int)why.len, (const char *)why.p);
	}
	buf_fini(&why);
	return is_right;
}

void
tool_shape(struct qmgr *q, struct tool *t, enum shape_verb verb)
{
	struct shape *s = paths_shape(q);
	struct str name = str_of(tool_arg(t, "name"));
	struct shaping_limits l = { 0 };
	struct named n;
	uint64_t until_us;
	char who[32];

	if (!find_name(q, name, &n)) {
		tool_end(t, EX_NOINPUT,
		    "%s: no site, provider or domain with mail has this "
		    "name; pbqueue sites lists them",
		    tool_arg(t, "name"));
		return;
	}
	(void)snprintf(who, sizeof(who), "uid %u", tool_uid(t));
	if (verb == SHAPE_RESUME) {
		finish(q, t, &n, "resumed",
		    shape_resume(s, n.level, n.name, qmgr_now(q)));
		return;
	}
	if (!take_end(q, t, &until_us) ||
	    (verb == SHAPE_LIMIT && !take_limits(t, &l))) {
		return;
	}
	shape_order(s, n.level, n.name, verb == SHAPE_LIMIT ? &l : NULL,
	    until_us, str_of(who), qmgr_now(q));
	finish(q, t, &n, verb == SHAPE_LIMIT ? "limited" : "suspended", 1);
}

/* ---- pbqueue sites ------------------------------------------------------ */

static json_t *
json_time(uint64_t us)
{
	return json_integer((json_int_t)(us / US_PER_S));
}

static void
put_effect(json_t *list, const struct target *t, enum effect_kind kind,
    const struct effect *x, bool is_admin)
{
	struct buf limits = { 0 };
	char safe[300];
	json_t *o = json_object();

	json_object_set_new(o,
	    t->level == CORE_LEVEL_PROVIDER ? "provider" : "site",
	    json_string(str_safe(safe, sizeof(safe), str_of(t->name))));
	if (t->source != NULL) {
		json_object_set_new(o, "source", json_string(t->source));
	}
	json_object_set_new(o, "effect", json_string(effect_name(kind)));
	json_object_set_new(o, "by", json_string(x->rule));
	json_object_set_new(o, "is_admin", json_boolean(is_admin));
	json_object_set_new(o, "since", json_time(x->since_us));
	if (x->until_us != EFFECT_LASTING) {
		json_object_set_new(o, "until", json_time(x->until_us));
	}
	if (x->set[0] != '\0') {
		json_object_set_new(o, "set", json_string(x->set));
	}
	shaping_limits_print(&x->limits, &limits);
	if (limits.len != 0) {
		json_object_set_new(o, "limits",
		    json_stringn((const char *)limits.p, limits.len));
	}
	if (x->reply[0] != '\0') {
		json_object_set_new(o, "reply", json_string(x->reply));
	}
	json_array_append_new(list, o);
	buf_fini(&limits);
}

static void
put_effects(json_t *list, struct target *t, uint64_t now_us)
{
	for (int i = 0; t != NULL && i < 2 * EFFECT_KINDS; i++) {
		enum effect_kind kind = (enum effect_kind)(i / 2);
		const struct effect *x = target_effect(t, kind, i % 2 != 0);

		if (x->until_us > now_us) {
			put_effect(list, t, kind, x, i % 2 != 0);
		}
	}
}

static void
put_limits(struct qmgr *q, json_t *o, const char *key, enum core_level level,
    struct str name)
{
	struct shaping_limits l;
	struct buf text = { 0 };

	(void)shape_limits(paths_shape(q), level, name, qmgr_now(q), &l);
	shaping_limits_print(&l, &text);
	if (text.len != 0) {
		json_object_set_new(
		    o, key, json_stringn((const char *)text.p, text.len));
	}
	buf_fini(&text);
}

void
tool_shape_path(struct qmgr *q, json_t *o, const struct core_path_view *v)
{
	const struct effects *all = shape_effects(paths_shape(q));
	struct str site = core_site_name(q->core, v->site);
	struct str source = sources_ip(q, v->source);
	uint64_t now = qmgr_now(q);
	json_t *list = json_array();
	struct str provider;

	put_limits(q, o, "limits", CORE_LEVEL_SITE, site);
	put_effects(
	    list, effects_find(all, CORE_LEVEL_SITE, site, STR("")), now);
	if (source.len != 0) {
		put_effects(list,
		    effects_find(all, CORE_LEVEL_SITE, site, source), now);
	}
	if (v->provider != CORE_NONE) {
		provider = core_provider_name(q->core, v->provider);
		put_limits(
		    q, o, "provider_limits", CORE_LEVEL_PROVIDER, provider);
		put_effects(list,
		    effects_find(all, CORE_LEVEL_PROVIDER, provider, STR("")),
		    now);
		if (source.len != 0) {
			put_effects(list,
			    effects_find(
				all, CORE_LEVEL_PROVIDER, provider, source),
			    now);
		}
	}
	if (json_array_size(list) != 0) {
		json_object_set(o, "effects", list);
	}
	json_decref(list);
}

void
tool_shape_rest(struct qmgr *q, struct tool *t)
{
	const struct effects *all = shape_effects(paths_shape(q));
	struct target *target;
	size_t at = 0;

	while ((target = effects_next(all, &at)) != NULL) {
		struct str name = str_of(target->name);
		bool is_provider = target->level == CORE_LEVEL_PROVIDER;
		json_t *list;

		if ((is_provider
			    ? core_provider_find(q->core, name)
			    : core_site_find(q->core, name)) != CORE_NONE ||
		    !target_has(target, qmgr_now(q))) {
			continue;
		}
		list = json_array();
		put_effects(list, target, qmgr_now(q));
		tool_out(t,
		    json_pack("{s:s,s:s,s:o}",
			is_provider ? "provider" : "site", target->name,
			"state", "idle", "effects", list));
	}
}
