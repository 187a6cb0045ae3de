#include "sources.h"

#include <errno.h>
#include <string.h>

#include "accountd.h"
#include "clock.h"
#include "herald.h"
#include "log.h"
#include "loop.h"
#include "plan.h"
#include "service.h"
#include "tally.h"

#define SWEEP_US US_PER_S
#define ALERT "source_address"

/* A look-up under way, or the memory of when the next one is due. */
struct check {
	struct waiters waiters;
	uint64_t next_us; /* monotonic; 0: now */
	bool is_running;
	char name[254]; /* that it asked about */
	char ip[47];
};

static struct {
	struct source_rules rules;
	struct map *checks; /* by address */
	struct loop_timer *timer;
	uint32_t purged_day;
	struct buf list; /* accountd.site's */
} sources;

const struct source_rules *
sources_rules(void)
{
	return &sources.rules;
}

uint32_t
sources_today(void)
{
	return tally_number(TALLY_DAY, clock_wall_us());
}

/* After those of the configuration, which stay first. */
void
sources_changed(void)
{
	const struct source *s;
	size_t at = 0;

	sources.list.len = 0;
	buf_puts(&sources.list, conf()->inet_interfaces_out);
	while ((s = model_next_source(accountd.model, &at)) != NULL) {
		buf_printf(&sources.list, " %.*s", STR_ARG(s->r.ip));
	}
	buf_u8(&sources.list, 0);
	accountd.site.sources = (const char *)sources.list.p;
}

/* ---- alerts --------------------------------------------------------------
 */

/* For the system as a whole, and for those whose pool it is in. */
static void
alert(const struct schema_source *s)
{
	const struct account *a;
	bool is_over = s->state == SOURCE_GOOD;
	struct buf text = { 0 };
	size_t at = 0;

	buf_printf(&text, "%.*s (%.*s) is %s%s%.*s", STR_ARG(s->ip),
	    STR_ARG(s->name), source_state_name(s->state),
	    s->reason.len > 0 ? ": " : "", STR_ARG(s->reason));
	herald_tell(ALERT_SOURCE, NULL, ALERT, is_over, "%.*s",
	    STR_ARG(buf_str(&text)));
	while (s->pool.len > 0 &&
	    (a = model_next_account(accountd.model, &at)) != NULL) {
		if (str_eq(a->r.pool, s->pool)) {
			herald_tell(ALERT_SOURCE, a, ALERT, is_over, "%.*s",
			    STR_ARG(buf_str(&text)));
		}
	}
	buf_fini(&text);
}

static void
tell_state(const struct schema_source *s, uint8_t before)
{
	char reason[300];

	(void)str_safe(reason, sizeof(reason), s->reason);
	if (s->state == SOURCE_BAD) {
		log_warn("source=%.*s, name=%.*s, status=bad, reason=%s",
		    STR_ARG(s->ip), STR_ARG(s->name), reason);
	} else {
		log_info("source=%.*s, name=%.*s, status=%s%s%s",
		    STR_ARG(s->ip), STR_ARG(s->name),
		    source_state_name(s->state),
		    reason[0] != '\0' ? ", reason=" : "", reason);
	}
	if (s->state == SOURCE_BAD || before == SOURCE_BAD) {
		alert(s);
	}
}

/* ---- records --------------------------------------------------------------
 */

static struct check *
get_check(struct str ip)
{
	struct check *c = map_get(sources.checks, ip);

	if (c == NULL) {
		c = mem_alloc(sizeof(*c));
		str_copy(c->ip, sizeof(c->ip), ip);
		(void)map_put(sources.checks, ip, c); /* new */
	}
	return c;
}

static bool
store_source(const struct schema_source *new)
{
	struct change *c = change_begin(accountd.model);
	int r = change_put(c, SCHEMA_source, new);

	if (r == 0) {
		r = change_commit(&c);
	}
	change_abort(&c);
	if (r < 0 && r != -ENOSPC) { /* the store has said that */
		log_error("the state of a source address is not stored: %s",
		    strerror(-r));
	}
	return r == 0;
}

/* Writes what an answer means, and tells qmgr. */
static void
take_answer(const struct check *c, const struct ipc_ptr_rep *rep)
{
	const struct source *s = model_source(accountd.model, str_of(c->ip));
	struct schema_source new = s->r;
	char reason[SOURCE_REASON_MAX];
	uint8_t before = new.state;
	bool is_same;

	(void)source_judge(&new, rep, clock_wall_us(), &sources.rules, reason);
	is_same = before == new.state &&str_eq(new.reason, s->r.reason);
	if (store_source(&new)) {
		s = model_source(accountd.model, str_of(c->ip));
		if (!is_same) {
			push_source(s);
		}
		if (before != s->r.state) {
			tell_state(&s->r, before);
		}
	}
}

static void
plan_next(struct check *c)
{
	const struct source *s = model_source(accountd.model, str_of(c->ip));
	uint64_t wait = s->r.state == SOURCE_GOOD && s->r.unknown_us == 0
	    ? conf()->source_check_interval
	    : conf()->source_check_retry;

	c->next_us = clock_mono_us() + wait;
}

static void start_check(struct check *c, const struct source *s);

static void
finish(struct check *c, const struct ipc_ptr_rep *rep)
{
	const struct source *s = model_source(accountd.model, str_of(c->ip));

	c->is_running = false;
	if (s != NULL && !str_is(s->r.name, c->name)) {
		start_check(c, s); /* it has another name by now */
		return;
	}
	if (s != NULL) {
		take_answer(c, rep);
		plan_next(c);
	}
	waiters_call(waiters_take(&c->waiters), rep != NULL);
}

static void
on_reply(void *arg, enum ipc_type type, const void *m)
{
	(void)type;
	finish(arg, m);
}

static void
start_check(struct check *c, const struct source *s)
{
	const struct ipc_ptr_req m = { .ip = s->r.ip, .name = s->r.name };

	/* Nothing is stored from here: the caller may walk the model. */
	c->is_running = true;
	str_copy(c->name, sizeof(c->name), s->r.name);
	if (peer_call(service_peer(ROLE_RESOLVD, 0), IPC_ptr_req, &m, -1,
		conf()->domain_check_timeout, on_reply, c, NULL) < 0) {
		c->is_running = false;
		c->next_us = clock_mono_us() + conf()->source_check_retry;
		waiters_call(waiters_take(&c->waiters), false);
	}
}

void
sources_check(const struct source *s, waiter_fn *fn, void *arg)
{
	struct check *c = get_check(s->r.ip);

	if (fn != NULL) {
		waiters_add(&c->waiters, fn, arg);
	}
	if (!c->is_running) {
		start_check(c, s);
	}
}

void
sources_forget(void *arg)
{
	struct str key;
	void *value;
	size_t at = 0;

	while (map_next(sources.checks, &at, &key, &value)) {
		struct check *c = value;

		waiters_forget(&c->waiters, arg);
	}
}

/* ---- warm-up --------------------------------------------------------------
 */

bool
sources_warmup(const struct schema_source *s, struct warmup_plan *plan,
    struct warmup_day *day)
{
	struct buf error = { 0 };
	bool is_warming = s->plan.len > 0 && s->warm_us == 0 &&
	    warmup_parse(s->plan, plan, &error) == 0;

	buf_fini(&error);
	*day = (struct warmup_day){ s->step, s->step_day, s->held };
	return is_warming;
}

uint32_t
sources_ceiling(const struct schema_source *s)
{
	struct warmup_plan plan;
	struct warmup_day day;

	return sources_warmup(s, &plan, &day) ? warmup_ceiling(&plan, &day) : 0;
}

/* A day is over: the next one begins as its counts say. */
static void
turn_day(const struct source *s, uint32_t today)
{
	const struct warmup_rules rules = {
		.use_percent = (uint32_t)conf()->source_warmup_use,
		.volume = (uint32_t)conf()->source_warmup_volume,
		.deferral_percent =
		    (uint32_t)conf()->source_warmup_deferral_rate,
		.complaint_rate =
		    (uint32_t)conf()->source_warmup_complaint_rate,
	};
	struct schema_source new = s->r;
	struct warmup_plan plan;
	struct warmup_day day;
	struct buf counts = { 0 };
	struct buf verdict = { 0 };

	if (sources_warmup(&s->r, &plan, &day) && day.step_day < today) {
		warm_counts_of(accountd.warm, s->r.ip, day.step_day, &counts);
		warmup_turn(&plan, &rules, (const void *)counts.p,
		    counts.len / sizeof(struct warmup_count), today, &day,
		    &verdict);
		new.step = day.step;
		new.step_day = day.step_day;
		new.held = day.held;
		new.verdict = buf_str(&verdict);
		new.warm_us = day.step > plan.n ? clock_wall_us() : 0;
		log_info("source=%.*s, warm-up: %.*s", STR_ARG(s->r.ip),
		    STR_ARG(new.verdict));
		if (store_source(&new)) {
			push_source(model_source(accountd.model, new.ip));
		}
	}
	buf_fini(&counts);
	buf_fini(&verdict);
}

/* One that is to be turned; the walk ends with any change. */
static const struct source *
find_behind(uint32_t today)
{
	const struct source *s;
	size_t at = 0;

	while ((s = model_next_source(accountd.model, &at)) != NULL) {
		if (s->r.plan.len > 0 && s->r.warm_us == 0 &&
		    s->r.step_day < today) {
			return s;
		}
	}
	return NULL;
}

static void
sweep_warmups(void)
{
	uint32_t today = sources_today();
	uint64_t before =
	    clock_wall_us() - conf()->source_warmup_complaint_time;
	const struct source *s = find_behind(today);

	if (s != NULL) {
		turn_day(s, today);
	} else if (sources.purged_day != today) {
		int r = warm_counts_purge(accountd.warm, today, before);

		if (r < 0) {
			log_error("old counts of warm-ups are not removed");
		}
		sources.purged_day = r > 0 ? sources.purged_day : today;
	}
}

/* ---- life ----------------------------------------------------------------
 */

static void
sweep(void *arg)
{
	uint64_t now = clock_mono_us();
	const struct source *s;
	size_t at = 0;

	(void)arg;
	loop_timer_arm(sources.timer, SWEEP_US);
	sweep_warmups();
	/* Answers are stored later, from the loop: the walk stays valid. */
	while (service_peer(ROLE_RESOLVD, 0) != NULL &&
	    (s = model_next_source(accountd.model, &at)) != NULL) {
		struct check *c = get_check(s->r.ip);

		if (!c->is_running && c->next_us <= now) {
			start_check(c, s);
		}
	}
}

static void
check_free(void *p)
{
	struct check *c = p;

	waiters_fini(&c->waiters);
	free(c);
}

void
sources_start(void)
{
	struct warmup_plan plan;
	struct buf error = { 0 };

	if (warmup_parse(str_of(conf()->source_warmup_plan), &plan, &error) <
	    0) {
		fatal("source_warmup_plan: %.*s", STR_ARG(buf_str(&error)));
	}
	sources.rules = (struct source_rules){
		.name_wait_us = conf()->source_name_wait,
		.grace_us = conf()->source_grace_time,
	};
	sources_changed();
	sources.checks = map_new();
	sources.timer = loop_timer_new(sweep, NULL);
	loop_timer_arm(sources.timer, 0);
}

void
sources_stop(void)
{
	if (sources.checks != NULL) {
		loop_timer_free(&sources.timer);
		map_free(&sources.checks, check_free);
		accountd.site.sources = "";
		buf_fini(&sources.list);
	}
}
