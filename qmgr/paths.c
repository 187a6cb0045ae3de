#include "paths.h"

#include <string.h>

#include "core_limits.h"
#include "core_name.h"
#include "log.h"
#include "map.h"
#include "qmgr.h"
#include "reply_class.h"
#include "shape.h"
#include "sources.h"
#include "str.h"

#define WINDOW_UNIT 1000.0 /* of a fact's window */
#define WINDOW_MAX 65535.0

/* What is known of a path is of no use after so long. */
#define WINDOW_KEPT_US (86400 * US_PER_S)

struct window {
	struct core_path_past past;
	uint64_t time_us; /* that it was so */
};

struct paths {
	struct shape *shape;
	struct loop_timer *timer; /* NULL: not running */
	struct map *windows; /* what an earlier run knew, by site and source */
};

struct shape *
paths_shape(const struct qmgr *q)
{
	return q->paths->shape;
}

/* ---- what shape.h acts on ----------------------------------------------- */

static void
on_changed(void *arg, const struct event_path_state *fact)
{
	struct qmgr *q = arg;
	struct event_path_state e = *fact;

	e.time_us = qmgr_now(q);
	qmgr_write(q, EVENT_path_state, &e, NULL, 0, 0);
	paths_wake(q);
}

static void
on_recall(void *arg, uint32_t path)
{
	const struct core_out o = { .kind = CORE_CANCEL, .path = path };

	dispatch_cancel(arg, &o);
}

static uint32_t
count_sources(void *arg)
{
	return sources_count(arg);
}

static struct str
source_ip(void *arg, uint32_t source)
{
	return sources_ip(arg, source);
}

/* ---- life --------------------------------------------------------------- */

void
paths_init(struct qmgr *q, struct shaping *conf)
{
	struct paths *p = mem_alloc(sizeof(*p));
	struct buf error = { 0 };

	q->paths = p;
	if (conf == NULL) {
		bug_on(shaping_parse("built-in", str_of(shaping_builtin), &conf,
			   &error) < 0);
	}
	p->shape = shape_new(conf,
	    &(struct shape_env){ .core = q->core,
		.arg = q,
		.changed = on_changed,
		.recall = on_recall,
		.sources = count_sources,
		.source_ip = source_ip });
	p->windows = map_new();
	buf_fini(&error);
}

void
paths_restart(struct qmgr *q)
{
	shape_restart(q->paths->shape, q->core);
	map_free(&q->paths->windows, free);
	q->paths->windows = map_new();
}

static void
on_timer(void *arg)
{
	struct qmgr *q = arg;
	uint64_t now = qmgr_now(q);
	uint64_t next = shape_expire(q->paths->shape, now);

	if (next != UINT64_MAX) {
		loop_timer_arm(q->paths->timer, next - now);
	}
	turn_wanted(q);
}

void
paths_run(struct qmgr *q)
{
	q->paths->timer = loop_timer_new(on_timer, q);
	paths_wake(q);
}

void
paths_wake(struct qmgr *q)
{
	if (q->paths->timer != NULL) {
		loop_timer_arm(q->paths->timer, 0);
	}
}

void
paths_fini(struct qmgr *q)
{
	if (q->paths == NULL) {
		return;
	}
	shape_free(&q->paths->shape);
	map_free(&q->paths->windows, free);
	loop_timer_free(&q->paths->timer);
	free(q->paths);
	q->paths = NULL;
}

/* ---- windows of an earlier run ------------------------------------------ */

static void
window_key(struct buf *b, struct str site, struct str source)
{
	buf_add(b, site.p, site.len);
	buf_u8(b, 0);
	buf_add(b, source.p, source.len);
}

static void
give_window(struct qmgr *q, struct str site, uint32_t source)
{
	struct buf key = { 0 };
	struct window *w;
	uint32_t n = core_site_find(q->core, site);

	window_key(&key, site, sources_ip(q, source));
	w = map_get(q->paths->windows, buf_str(&key));
	if (w != NULL && core_path_restore(q->core, n, source, &w->past) == 0) {
		free(map_del(q->paths->windows, buf_str(&key)));
	}
	buf_fini(&key);
}

static void
restore_window(struct qmgr *q, const struct event_path_state *e)
{
	struct buf key = { 0 };
	struct window *w;

	if (e->time_us + WINDOW_KEPT_US < qmgr_now(q)) {
		return;
	}
	w = mem_alloc(sizeof(*w));
	w->past.window = e->window / WINDOW_UNIT;
	w->past.failures = e->failures;
	w->past.until_us = e->until_us;
	w->time_us = e->time_us;
	window_key(&key, e->site, e->source);
	free(map_put(q->paths->windows, buf_str(&key), w));
	buf_fini(&key);
}

/* ---- names -------------------------------------------------------------- */

uint32_t
paths_site(struct qmgr *q, struct str site)
{
	uint32_t n = shape_site(q->paths->shape, site, qmgr_now(q));

	if (map_len(q->paths->windows) != 0) {
		for (uint32_t i = 0; i < sources_count(q); i++) {
			give_window(q, site, i);
		}
	}
	return n;
}

uint32_t
paths_source_at(const struct qmgr *q, struct str ip)
{
	for (uint32_t i = 0; i < sources_count(q); i++) {
		if (str_eq(sources_ip(q, i), ip)) {
			return i;
		}
	}
	return sources_default(q);
}

uint32_t
paths_provider(struct qmgr *q, struct str site, struct str known)
{
	return shape_provider(q->paths->shape, site, known, qmgr_now(q));
}

void
paths_domain(struct qmgr *q, struct str domain, struct str site)
{
	shape_domain(q->paths->shape, domain, site, qmgr_now(q));
}

void
paths_source(struct qmgr *q, uint32_t source)
{
	struct str key;
	size_t at = 0;
	void *w;

	if (q->paths == NULL) {
		return;
	}
	shape_source(q->paths->shape, source, qmgr_now(q));
	while (map_next(q->paths->windows, &at, &key, &w)) {
		struct str site;

		(void)str_split(&key, '\0', &site);
		if (core_site_find(q->core, site) != CORE_NONE) {
			give_window(q, site, source);
		}
	}
}

/* ---- results ------------------------------------------------------------ */

/* Where in the dialogue, by the command that was answered. */
static enum reply_phase
phase_of(struct str command)
{
	static const struct {
		const char *name;
		enum reply_phase phase;
	} all[] = {
		{ "STARTTLS", REPLY_STARTTLS },
		{ "MAIL FROM", REPLY_MAIL },
		{ "RSET", REPLY_MAIL },
		{ "RCPT TO", REPLY_RCPT },
		{ "DATA", REPLY_DATA },
		{ "BDAT", REPLY_DOT },
		{ ".", REPLY_DOT },
	};

	for (size_t i = 0; i < array_len(all); i++) {
		if (str_is(command, all[i].name)) {
			return all[i].phase;
		}
	}
	return REPLY_CONNECT;
}

static enum shape_outcome
outcome_of(const struct ipc_result *r)
{
	if (r->outcome == OUTCOME_DELIVERED) {
		return SHAPE_DELIVERED;
	}
	return r->outcome == OUTCOME_FAILED ? SHAPE_FAILED : SHAPE_DEFERRED;
}

/* The outcome that a rule wants; the enhanced code's class goes with it. */
static void
change_fate(struct ipc_result *r, enum shaping_fate fate, char enh[17])
{
	bool is_failed = r->outcome == OUTCOME_FAILED;

	if (fate == SHAPING_FATE_KEPT ||
	    is_failed == (fate == SHAPING_FATE_BOUNCE)) {
		return;
	}
	r->outcome = is_failed ? OUTCOME_DEFERRED : OUTCOME_FAILED;
	r->is_hard = 0;
	if (r->smtp_enh.len != 0) {
		str_copy(enh, 17, r->smtp_enh);
		enh[0] = is_failed ? '4' : '5';
		r->smtp_enh = str_of(enh);
	}
}

static void
take_answer(struct ipc_result *r, const struct shape_answer *a,
    struct paths_answer *out)
{
	const struct shaping_rule *rule = a->rule;

	out->retry_s = a->retry_s;
	out->nretry = a->nretry;
	if (rule == NULL) {
		return;
	}
	out->requeue_s = rule->requeue_s;
	if (rule->has_class) {
		const struct reason_desc *d = reason_desc(rule->class);

		r->class = str_of(d->name);
		r->is_hard = r->is_hard && d->is_hard;
	}
	change_fate(r, rule->fate, out->enh);
}

void
paths_result(struct qmgr *q, uint32_t path, struct ipc_result *r,
    struct paths_answer *out)
{
	struct shape_reply reply = { .site = r->mx_site,
		.provider = r->provider,
		.source = r->source_ip,
		.outcome = outcome_of(r),
		.phase = phase_of(r->smtp_command) };
	struct shape_answer a;

	*out = (struct paths_answer){ 0 };
	if (r->outcome == OUTCOME_RETURNED || r->outcome == OUTCOME_DAMAGED) {
		return;
	}
	if (core_path_get(q->core, path, &out->before) == 0) {
		const struct core_path_view *v = &out->before;

		out->has_path = true;
		reply.site = core_site_name(q->core, v->site);
		reply.provider = v->provider != CORE_NONE
		    ? core_provider_name(q->core, v->provider)
		    : STR("");
		reply.source = sources_ip(q, v->source);
	}
	if (reply.site.len == 0) {
		return;
	}
	if (r->smtp_code != 0) {
		reply.text = r->smtp_text;
	}
	reply.is_local = r->smtp_code == 0 && r->is_connect == CONNECT_FINE;
	if (reason_parse(r->class, &reply.reason) < 0) {
		reply.reason = REASON_OTHER;
	}
	reply.is_throttle = r->smtp_code == 421 || reply.reason == REASON_RATE;
	shape_result(q->paths->shape, &reply, qmgr_now(q), &a);
	take_answer(r, &a, out);
}

static void
window_event(const struct qmgr *q, const struct core_path_view *v,
    struct event_path_state *e)
{
	double window = v->window < WINDOW_MAX ? v->window : WINDOW_MAX;

	*e = (struct event_path_state){
		.time_us = qmgr_now(q),
		.site = core_site_name(q->core, v->site),
		.source = sources_ip(q, v->source),
		.state = STR("window"),
		.until_us = v->failures != 0 ? v->until_us : 0,
		.window = (uint32_t)(window * WINDOW_UNIT),
		.failures = v->failures,
	};
}

void
paths_changed(struct qmgr *q, const struct paths_answer *a)
{
	struct event_path_state e;
	struct core_path_view v;

	if (!a->has_path || core_path_get(q->core, a->before.path, &v) < 0) {
		return;
	}
	/* Growth is for the next checkpoint: an older, smaller window is on
	 * the safe side. */
	if (v.window < a->before.window || v.failures != a->before.failures) {
		window_event(q, &v, &e);
		qmgr_write(q, EVENT_path_state, &e, NULL, 0, 0);
	}
}

/* ---- facts -------------------------------------------------------------- */

void
paths_restore(struct qmgr *q, const struct event_path_state *e)
{
	if (str_is(e->state, "window")) {
		restore_window(q, e);
	} else if (!shape_restore(q->paths->shape, e)) {
		log_debug("a path_state of an unknown kind");
	}
}

static void
collect_windows(struct qmgr *q,
    void (*put)(struct qmgr *q, enum event_type type, const void *event))
{
	struct event_path_state e;
	struct core_path_view v;
	struct str key;
	size_t at = 0;
	uint32_t path = 0;
	void *p;

	while (core_path_next(q->core, &path, &v)) {
		window_event(q, &v, &e);
		put(q, EVENT_path_state, &e);
	}
	while (map_next(q->paths->windows, &at, &key, &p)) {
		const struct window *w = p;
		struct str site;

		(void)str_split(&key, '\0', &site);
		e = (struct event_path_state){ .time_us = w->time_us,
			.site = site,
			.source = key,
			.state = STR("window"),
			.until_us = w->past.until_us,
			.window = (uint32_t)(w->past.window * WINDOW_UNIT),
			.failures = w->past.failures };
		put(q, EVENT_path_state, &e);
	}
}

void
paths_collect(struct qmgr *q,
    void (*put)(struct qmgr *q, enum event_type type, const void *event))
{
	const struct effects *all = shape_effects(q->paths->shape);
	struct event_path_state e;
	struct buf text = { 0 };
	struct target *t;
	size_t at = 0;

	while ((t = effects_next(all, &at)) != NULL) {
		for (int i = 0; i < 2 * EFFECT_KINDS; i++) {
			enum effect_kind kind = (enum effect_kind)(i / 2);

			if (target_effect(t, kind, i % 2 != 0)->until_us == 0) {
				continue;
			}
			effect_event(t, kind, i % 2 != 0, &text, &e);
			e.time_us = qmgr_now(q);
			put(q, EVENT_path_state, &e);
		}
	}
	buf_fini(&text);
	collect_windows(q, put);
}
