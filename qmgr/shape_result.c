/*
 * What follows from replies, from time, and from commands: effects begin and
 * end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "core_name.h"
#include "core_view.h"
#include "log.h"
#include "shape_impl.h"

/* An effect that goes on is written again when its end has moved by this part
 * of its time; until then the earlier end stays. */
#define MOVED_PART 20u

static void
tell(struct shape *s, struct target *t, enum effect_kind kind, bool is_admin)
{
	struct event_path_state fact;

	effect_event(t, kind, is_admin, &s->text, &fact);
	s->env.changed(s->env.arg, &fact);
}

static void
log_begin(const struct target *t, enum effect_kind kind, const struct effect *x,
    uint64_t now_us)
{
	char name[256];
	char until[48] = "until released";

	if (x->until_us != EFFECT_LASTING) {
		(void)snprintf(until, sizeof(until), "for %" PRIu64 " s",
		    (uint64_t)((x->until_us - now_us) / US_PER_S));
	}
	log_warn("%s %s%s%s: %s%s%s %s by %s%s%s",
	    t->level == CORE_LEVEL_PROVIDER ? "provider" : "site",
	    str_safe(name, sizeof(name), str_of(t->name)),
	    t->source != NULL ? " from " : "",
	    t->source != NULL ? t->source : "", effect_name(kind),
	    x->set[0] != '\0' ? " " : "", x->set, until, x->rule,
	    x->reply[0] != '\0' ? ": " : "", x->reply);
}

static void
log_end(const struct target *t, enum effect_kind kind)
{
	char name[256];

	log_info("%s %s%s%s: no longer %s",
	    t->level == CORE_LEVEL_PROVIDER ? "provider" : "site",
	    str_safe(name, sizeof(name), str_of(t->name)),
	    t->source != NULL ? " from " : "",
	    t->source != NULL ? t->source : "", effect_name(kind));
}

static bool
is_paths(const struct shape *s, const struct target *t,
    const struct core_path_view *v)
{
	struct str name = t->level == CORE_LEVEL_PROVIDER
	    ? core_provider_name(s->env.core, v->provider)
	    : core_site_name(s->env.core, v->site);

	if (t->level == CORE_LEVEL_PROVIDER && v->provider == CORE_NONE) {
		return false;
	}
	return str_is(name, t->name) &&
	    (t->source == NULL ||
		str_is(s->env.source_ip(s->env.arg, v->source), t->source));
}

/* What deliver has not begun would go out in spite of the suspension. */
static void
recall(struct shape *s, const struct target *t)
{
	struct core_path_view v;
	uint32_t at = 0;

	while (core_path_next(s->env.core, &at, &v)) {
		if (v.inflight > 0 && is_paths(s, t, &v)) {
			s->env.recall(s->env.arg, v.path);
		}
	}
}

/* How a new effect differs from the one that may be there. */
struct wanted {
	enum effect_kind kind;
	bool is_admin;
	uint64_t until_us;
	uint64_t span_us;
	const struct shaping_limits *limits; /* NULL: none */
	const char *set;
	uint32_t leave_s;
	struct str rule;
	struct str reply;
};

static bool
is_news(const struct effect *x, const struct wanted *w, uint64_t now_us)
{
	return w->is_admin || x->until_us <= now_us ||
	    strcmp(x->set, w->set) != 0 ||
	    w->until_us > x->until_us + w->span_us / MOVED_PART;
}

static void
enter(
    struct shape *s, struct target *t, const struct wanted *w, uint64_t now_us)
{
	struct effect *x = target_effect(t, w->kind, w->is_admin);
	bool is_begun = x->until_us > now_us;

	if (!is_news(x, w, now_us)) {
		return;
	}
	if (!is_begun || w->is_admin) {
		x->since_us = now_us;
	}
	x->until_us = w->until_us;
	x->leave_s = w->leave_s;
	str_copy(x->set, sizeof(x->set), str_of(w->set));
	x->limits =
	    w->limits != NULL ? *w->limits : (struct shaping_limits){ 0 };
	effect_set(x, w->rule, w->reply);
	tell(s, t, w->kind, w->is_admin);
	shape_apply(s, t, now_us);
	if (!is_begun || w->is_admin) {
		log_begin(t, w->kind, x, now_us);
	}
	if (!is_begun && w->kind == EFFECT_SUSPENDED) {
		recall(s, t);
	}
}

/* ---- rules -------------------------------------------------------------- */

struct match {
	const struct shaping_rule *rule;
	enum core_level level; /* of its section */
};

static struct match
find_rule(const struct shape *s, const struct shape_reply *r)
{
	const struct shaping_section *all[] = {
		shape_site_section(s, r->site),
		shape_provider_section(s, r->site),
		s->conf->sections[0],
	};
	struct match m = { 0 };

	for (size_t i = 0; i < array_len(all) && m.rule == NULL; i++) {
		if (all[i] != NULL) {
			m.rule = shaping_match(all[i], r->phase, r->text);
			m.level = all[i]->kind == SHAPING_PROVIDER
			    ? CORE_LEVEL_PROVIDER
			    : CORE_LEVEL_SITE;
		}
	}
	return m;
}

static struct str
line_of(const struct shape *s, unsigned line, char dst[256])
{
	const char *base = strrchr(s->conf->path, '/');
	int n = snprintf(dst, 256, "%.200s:%u",
	    base != NULL ? base + 1 : s->conf->path, line);

	return (struct str){ dst, (size_t)n };
}

static struct str
name_at(
    const struct shape *s, const struct shape_reply *r, enum core_level level)
{
	const struct shaping_section *n;

	if (level != CORE_LEVEL_PROVIDER) {
		return r->site;
	}
	n = shape_provider_section(s, r->site);
	return n != NULL ? str_of(n->name) : r->provider;
}

static void
slow(struct shape *s, struct target *t, const struct shaping_backoff *b,
    uint64_t span_us, struct str rule, struct str reply, uint64_t now_us)
{
	struct wanted w = { .kind = EFFECT_BACKOFF,
		.span_us = span_us,
		.until_us = now_us + span_us,
		.limits = &b->limits,
		.set = b->name,
		.leave_s = (uint32_t)(span_us / US_PER_S),
		.rule = rule,
		.reply = reply };

	enter(s, t, &w, now_us);
}

static void
run_rule(struct shape *s, const struct shape_reply *r, const struct match *m,
    uint64_t now_us)
{
	const struct shaping_rule *rule = m->rule;
	struct str name = name_at(s, r, m->level);
	char line[256];
	struct str where = line_of(s, rule->line, line);
	struct wanted w = { .set = "", .rule = where, .reply = r->text };

	if (rule->suspend_us != 0) {
		w.kind = EFFECT_SUSPENDED;
		w.span_us = rule->suspend_us;
		w.until_us = now_us + rule->suspend_us;
		enter(s,
		    effects_get(s->effects, m->level, name,
			rule->is_for_all ? STR("") : r->source),
		    &w, now_us);
	}
	if (rule->limits_us != 0) {
		w.kind = EFFECT_LIMITED;
		w.span_us = rule->limits_us;
		w.until_us = now_us + rule->limits_us;
		w.limits = &rule->limits;
		enter(s, effects_get(s->effects, m->level, name, STR("")), &w,
		    now_us);
	}
	if (rule->backoff != NULL) {
		slow(s, effects_get(s->effects, m->level, name, STR("")),
		    rule->backoff,
		    rule->backoff_us != 0 ? rule->backoff_us
					  : rule->backoff->leave_after_us,
		    where, r->text, now_us);
	}
}

/* ---- deferrals in a row ------------------------------------------------- */

/* Deferrals that are about one mailbox or one first visit. */
static bool
counts(const struct shape_reply *r)
{
	return !r->is_local && r->reason != REASON_GREYLIST &&
	    r->reason != REASON_MAILBOX_FULL &&
	    r->reason != REASON_TOO_MANY_RCPT;
}

/* The section that says after how many; NULL: none does. */
static const struct shaping_section *
counting_section(
    const struct shape *s, const struct shape_reply *r, enum core_level *level)
{
	const struct shaping_section *site = shape_site_section(s, r->site);
	const struct shaping_section *provider =
	    shape_provider_section(s, r->site);

	*level = CORE_LEVEL_SITE;
	if (site != NULL && site->backoff_after != 0) {
		return site;
	}
	if (provider != NULL && provider->backoff_after != 0) {
		*level = CORE_LEVEL_PROVIDER;
		return provider;
	}
	return s->conf->sections[0]->backoff_after != 0 ? s->conf->sections[0]
							: NULL;
}

static void
count_deferral(struct shape *s, const struct shape_reply *r, uint64_t now_us)
{
	enum core_level level;
	const struct shaping_section *n = counting_section(s, r, &level);
	struct target *t;
	char line[256];

	if (n == NULL || !counts(r)) {
		return;
	}
	t = effects_get(s->effects, level, name_at(s, r, level), STR(""));
	if (++t->deferrals >= n->backoff_after) {
		t->deferrals = 0;
		slow(s, t, n->backoff, n->backoff->leave_after_us,
		    line_of(s, n->backoff_line, line), r->text, now_us);
		effects_settle(s->effects, t);
	}
}

/* Time without trouble begins anew. */
static void
go_on(struct shape *s, enum core_level level, struct str name, uint64_t now_us)
{
	struct target *t = effects_find(s->effects, level, name, STR(""));
	struct effect *x;
	uint64_t until_us;

	if (t == NULL) {
		return;
	}
	x = target_effect(t, EFFECT_BACKOFF, false);
	until_us = now_us + x->leave_s * US_PER_S;
	if (x->until_us > now_us && x->leave_s != 0 &&
	    until_us > x->until_us + x->leave_s * US_PER_S / MOVED_PART) {
		x->until_us = until_us;
		tell(s, t, EFFECT_BACKOFF, false);
	}
}

static void
forget_deferrals(struct shape *s, enum core_level level, struct str name)
{
	struct target *t = effects_find(s->effects, level, name, STR(""));

	if (t != NULL && t->deferrals != 0) {
		t->deferrals = 0;
		effects_settle(s->effects, t);
	}
}

/* ---- results ------------------------------------------------------------ */

static void
give_schedule(struct shape *s, const struct shape_reply *r, uint64_t now_us,
    struct shape_answer *out)
{
	const struct shaping_section *p = shape_provider_section(s, r->site);
	struct shaping_limits l;

	(void)shape_limits(s, CORE_LEVEL_SITE, r->site, now_us, &s->latest);
	if (p != NULL) {
		(void)shape_limits(
		    s, CORE_LEVEL_PROVIDER, str_of(p->name), now_us, &l);
		shaping_limits_tighten(&s->latest, &l);
	}
	if (s->latest.nretry != 0) {
		out->retry_s = s->latest.retry_s;
		out->nretry = s->latest.nretry;
	}
}

void
shape_result(struct shape *s, const struct shape_reply *r, uint64_t now_us,
    struct shape_answer *out)
{
	struct str provider = name_at(s, r, CORE_LEVEL_PROVIDER);
	struct match m = { 0 };

	*out = (struct shape_answer){ 0 };
	if (r->outcome == SHAPE_DELIVERED) {
		if (effects_count(s->effects) != 0) {
			forget_deferrals(s, CORE_LEVEL_SITE, r->site);
			forget_deferrals(s, CORE_LEVEL_PROVIDER, provider);
		}
		return;
	}
	if (r->text.len != 0) {
		m = find_rule(s, r);
	}
	if (m.rule != NULL) {
		out->rule = m.rule;
		run_rule(s, r, &m, now_us);
	}
	if (r->outcome == SHAPE_DEFERRED) {
		count_deferral(s, r, now_us);
	}
	/* Also for one that only a rule defers. */
	give_schedule(s, r, now_us, out);
	if (r->is_throttle ||
	    (m.rule != NULL && (m.rule->suspend_us | m.rule->limits_us) != 0)) {
		go_on(s, CORE_LEVEL_SITE, r->site, now_us);
		go_on(s, CORE_LEVEL_PROVIDER, provider, now_us);
	}
}

/* ---- time --------------------------------------------------------------- */

static bool
end_effect(
    struct shape *s, struct target *t, enum effect_kind kind, bool is_admin)
{
	struct effect *x = target_effect(t, kind, is_admin);

	if (x->until_us == 0) {
		return false;
	}
	effect_end(x);
	tell(s, t, kind, is_admin);
	log_end(t, kind);
	return true;
}

uint64_t
shape_expire(struct shape *s, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	struct target *t;
	size_t at = 0;

	while ((t = effects_next(s->effects, &at)) != NULL) {
		bool is_changed = false;

		for (int i = 0; i < 2 * EFFECT_KINDS; i++) {
			enum effect_kind kind = (enum effect_kind)(i / 2);
			bool is_admin = i % 2 != 0;
			uint64_t until =
			    target_effect(t, kind, is_admin)->until_us;

			if (until != 0 && until <= now_us) {
				is_changed = end_effect(s, t, kind, is_admin) ||
				    is_changed;
			} else if (until != 0 && until < next) {
				next = until;
			}
		}
		if (is_changed) {
			shape_apply(s, t, now_us);
			effects_settle(s->effects, t);
		}
	}
	return next;
}

bool
shape_restore(struct shape *s, const struct event_path_state *fact)
{
	return effects_restore(s->effects, fact);
}

/* ---- administrators ----------------------------------------------------- */

void
shape_order(struct shape *s, enum core_level level, struct str name,
    const struct shaping_limits *limits, uint64_t until_us, struct str who,
    uint64_t now_us)
{
	struct wanted w = {
		.kind = limits != NULL ? EFFECT_LIMITED : EFFECT_SUSPENDED,
		.is_admin = true,
		.until_us = until_us,
		.limits = limits,
		.set = "",
		.rule = who,
		.reply = STR(""),
	};

	enter(s, effects_get(s->effects, level, name, STR("")), &w, now_us);
}

uint32_t
shape_resume(
    struct shape *s, enum core_level level, struct str name, uint64_t now_us)
{
	struct target *t;
	size_t at = 0;
	uint32_t n = 0;

	while ((t = effects_next(s->effects, &at)) != NULL) {
		if (t->level != level || !str_is(name, t->name)) {
			continue;
		}
		t->deferrals = 0;
		for (int i = 0; i < 2 * EFFECT_KINDS; i++) {
			n += end_effect(
			    s, t, (enum effect_kind)(i / 2), i % 2 != 0);
		}
		shape_apply(s, t, now_us);
		effects_settle(s->effects, t);
	}
	return n;
}
