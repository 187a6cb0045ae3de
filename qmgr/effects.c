#include "effects.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "map.h"

struct effects {
	struct map *targets; /* by key */
};

static const char *const names[EFFECT_KINDS] = {
	[EFFECT_SUSPENDED] = "suspended",
	[EFFECT_BACKOFF] = "backoff",
	[EFFECT_LIMITED] = "limited",
};

const char *
effect_name(enum effect_kind kind)
{
	return names[kind];
}

struct effects *
effects_new(void)
{
	struct effects *e = mem_alloc(sizeof(*e));

	e->targets = map_new();
	return e;
}

static void
target_free(void *p)
{
	struct target *t = p;

	for (int k = 0; k < EFFECT_KINDS; k++) {
		effect_end(&t->rule[k]);
		effect_end(&t->admin[k]);
	}
	free(t->name);
	free(t->source);
	free(t);
}

void
effects_free(struct effects **e)
{
	if (*e != NULL) {
		map_free(&(*e)->targets, target_free);
		free(*e);
		*e = NULL;
	}
}

size_t
effects_count(const struct effects *e)
{
	return map_len(e->targets);
}

/* Neither part has a zero byte. */
static void
make_key(
    struct buf *b, enum core_level level, struct str name, struct str source)
{
	buf_u8(b, (uint8_t)level);
	buf_add(b, name.p, name.len);
	buf_u8(b, 0);
	buf_add(b, source.p, source.len);
}

struct target *
effects_find(const struct effects *e, enum core_level level, struct str name,
    struct str source)
{
	struct buf key = { 0 };
	struct target *t;

	make_key(&key, level, name, source);
	t = map_get(e->targets, buf_str(&key));
	buf_fini(&key);
	return t;
}

struct target *
effects_get(struct effects *e, enum core_level level, struct str name,
    struct str source)
{
	struct target *t = effects_find(e, level, name, source);
	struct buf key = { 0 };

	if (t != NULL) {
		return t;
	}
	t = mem_alloc(sizeof(*t));
	t->level = level;
	t->name = str_dup(name);
	t->source = source.len != 0 ? str_dup(source) : NULL;
	make_key(&key, level, name, source);
	(void)map_put(e->targets, buf_str(&key), t);
	buf_fini(&key);
	return t;
}

static struct str
source_of(const struct target *t)
{
	return t->source != NULL ? str_of(t->source) : STR("");
}

void
effects_settle(struct effects *e, struct target *t)
{
	struct buf key = { 0 };

	if (t->deferrals != 0) {
		return;
	}
	for (int k = 0; k < EFFECT_KINDS; k++) {
		if (t->rule[k].until_us != 0 || t->admin[k].until_us != 0) {
			return;
		}
	}
	make_key(&key, t->level, str_of(t->name), source_of(t));
	(void)map_del(e->targets, buf_str(&key));
	buf_fini(&key);
	target_free(t);
}

struct target *
effects_next(const struct effects *e, size_t *at)
{
	struct str key;
	void *t;

	return map_next(e->targets, at, &key, &t) ? t : NULL;
}

struct effect *
target_effect(struct target *t, enum effect_kind kind, bool is_admin)
{
	return is_admin ? &t->admin[kind] : &t->rule[kind];
}

bool
target_has(const struct target *t, uint64_t now_us)
{
	for (int k = 0; k < EFFECT_KINDS; k++) {
		if (t->rule[k].until_us > now_us ||
		    t->admin[k].until_us > now_us) {
			return true;
		}
	}
	return false;
}

void
effect_set(struct effect *x, struct str rule, struct str reply)
{
	char safe[EFFECT_TEXT_MAX + 1];

	free(x->rule);
	free(x->reply);
	x->rule = str_dup(rule);
	x->reply = mem_strdup(str_safe(safe, sizeof(safe), reply));
}

void
effect_end(struct effect *x)
{
	free(x->rule);
	free(x->reply);
	*x = (struct effect){ 0 };
}

bool
target_apply(const struct target *t, uint64_t now_us, struct shaping_limits *l)
{
	bool is_paused = false;

	/* What an administrator sets holds instead; rules only tighten. */
	if (t->admin[EFFECT_LIMITED].until_us > now_us) {
		shaping_limits_replace(l, &t->admin[EFFECT_LIMITED].limits);
	}
	for (int k = 0; k < EFFECT_KINDS; k++) {
		if (t->rule[k].until_us > now_us) {
			shaping_limits_tighten(l, &t->rule[k].limits);
			is_paused = is_paused || k == EFFECT_SUSPENDED;
		}
	}
	return is_paused || t->admin[EFFECT_SUSPENDED].until_us > now_us;
}

/* ---- facts -------------------------------------------------------------- */

void
effect_event(const struct target *t, enum effect_kind kind, bool is_admin,
    struct buf *buf, struct event_path_state *out)
{
	const struct effect *x = is_admin ? &t->admin[kind] : &t->rule[kind];

	buf->len = 0;
	shaping_limits_print(&x->limits, buf);
	*out = (struct event_path_state){
		.site = str_of(t->name),
		.source = source_of(t),
		.state = str_of(names[kind]),
		.until_us = x->until_us,
		.level = t->level == CORE_LEVEL_PROVIDER,
		.is_admin = is_admin,
		.since_us = x->since_us,
		.set = str_of(x->set),
		.limits = buf_str(buf),
		.leave_s = x->leave_s,
	};
	if (x->rule != NULL) {
		out->rule = str_of(x->rule);
		out->reason = str_of(x->reply);
	}
}

bool
effects_restore(struct effects *e, const struct event_path_state *f)
{
	enum core_level level =
	    f->level == 1 ? CORE_LEVEL_PROVIDER : CORE_LEVEL_SITE;
	struct buf why = { 0 };
	struct target *t;
	struct effect *x;
	int kind = 0;

	while (kind < EFFECT_KINDS && !str_is(f->state, names[kind])) {
		kind++;
	}
	if (kind == EFFECT_KINDS || f->site.len == 0) {
		return false;
	}
	t = effects_get(e, level, f->site, f->source);
	x = target_effect(t, (enum effect_kind)kind, f->is_admin != 0);
	effect_end(x);
	if (f->until_us != 0) {
		effect_set(x, f->rule, f->reason);
		x->since_us = f->since_us;
		x->until_us = f->until_us;
		x->leave_s = f->leave_s;
		str_copy(x->set, sizeof(x->set), f->set);
		if (f->limits.len != 0 &&
		    shaping_limits_parse(&x->limits, f->limits, &why) < 0) {
			/* Of a later version: the others still hold. */
			why.len = 0;
		}
	}
	buf_fini(&why);
	effects_settle(e, t);
	return true;
}
