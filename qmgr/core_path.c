#include <errno.h>

#include "core_impl.h"

#define SHRINK 0.75 /* of a window, by a failure */
#define REVIVED 2.0 /* window after a probe came through */

/* How long a dead path rests before it is probed; the last one repeats. */
static const uint32_t rest_s[] = { 60, 120, 300, 600, 1200, 2400, 3600 };

uint32_t
path_gates(const struct core *core, const struct path *p, uint32_t *gates)
{
	const struct site *s = site_at(core, ring_at(core, p->ring)->site);
	uint32_t heads[] = { s->gate,
		s->provider == NIL ? NIL
				   : provider_at(core, s->provider)->gate };
	uint32_t warm = warm_gate(core, p);
	uint32_t n = 0;

	gates[n++] = core->sources[p->source].gate;
	if (warm != NIL) {
		gates[n++] = warm;
	}
	for (size_t i = 0; i < array_len(heads); i++) {
		uint32_t own;

		if (heads[i] == NIL) {
			continue;
		}
		gates[n++] = heads[i];
		own = gate_from(core, heads[i], CORE_FROM(p->source));
		if (own != NIL) {
			gates[n++] = own;
		}
	}
	return n;
}

bool
path_is_at(const struct core *core, const struct path *p, uint32_t gate)
{
	uint32_t gates[PATH_GATES];
	uint32_t n = path_gates(core, p, gates);

	while (n > 0 && gates[n - 1] != gate) {
		n--;
	}
	return n > 0;
}

uint32_t
path_connections(const struct path *p)
{
	return p->is_probing ? 1 : (uint32_t)p->window;
}

static bool
is_closed(const struct path *p)
{
	return p->state == PATH_DEAD || p->state == PATH_SUSPENDED;
}

static void
count_window(struct core *core, struct path *p)
{
	struct ring *r = ring_at(core, p->ring);
	uint32_t now = is_closed(p) ? 0 : path_connections(p);

	r->window += now - p->counted;
	p->counted = now;
}

/* No more than the core's cap and those of the limits that hold here, which
 * also say whether it is paced. */
static double
limited(const struct core *core, struct path *p, double window)
{
	uint32_t gates[PATH_GATES];
	uint32_t n = path_gates(core, p, gates);
	uint32_t cap = core->conf.concurrency_limit;

	p->is_paced = false;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t max =
		    gate_limits(core, gate_at(core, gates[i]))->window_max;

		if (max > 0 && max < cap) {
			cap = max;
		}
		p->is_paced = p->is_paced || gate_is_paced(core, gates[i]);
	}
	return window < cap ? window : cap;
}

void
path_settle(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);
	struct ring *r = ring_at(core, p->ring);
	bool has_room;

	p->window = limited(core, p, p->window);
	count_window(core, p);
	conn_settle(core, path);
	if (is_closed(p) || p->state == PATH_PARKED) {
		return;
	}
	has_room = p->held_by == NIL && conn_has_room(core, p);
	if (has_room && p->state == PATH_FULL) {
		p->state = PATH_AVAIL;
		list_push(&r->avail, path_kin(core), path);
	} else if (!has_room && p->state == PATH_AVAIL) {
		p->state = PATH_FULL;
		list_remove(&r->avail, path_kin(core), path);
	}
	ring_wake(core, p->ring);
}

void
paths_settle(struct core *core, uint32_t site)
{
	for (uint32_t r = site_at(core, site)->rings; r != NIL;
	     r = ring_at(core, r)->site_next) {
		for (uint32_t i = ring_at(core, r)->paths; i != NIL;
		     i = path_at(core, i)->ring_next) {
			path_at(core, i)->held_by = NIL;
			path_settle(core, i);
		}
	}
}

static uint32_t
initial_window(const struct core *core, const struct path *p)
{
	uint32_t gates[PATH_GATES];
	uint32_t n = path_gates(core, p, gates);
	uint32_t window = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t own =
		    gate_limits(core, gate_at(core, gates[i]))->window;

		if (own > 0 && (window == 0 || own < window)) {
			window = own;
		}
	}
	return window > 0 ? window : core->conf.window_initial;
}

void
path_new(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);

	p->window = initial_window(core, p);
	p->state = PATH_FULL;
	path_settle(core, path);
}

/* Out of its ring's list or its gate's. */
static void
detach(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);

	if (p->state == PATH_AVAIL) {
		list_remove(
		    &ring_at(core, p->ring)->avail, path_kin(core), path);
	} else if (p->state == PATH_PARKED) {
		list_remove(
		    &gate_at(core, p->gate)->waiters, path_kin(core), path);
		p->gate = NIL;
	}
	p->state = PATH_FULL;
}

void
path_free(struct core *core, uint32_t path)
{
	bug_on(path_at(core, path)->conns > 0);
	detach(core, path);
	timer_set(core, TIMER_PATH, path, UINT64_MAX);
	conn_settle(core, path);
}

void
path_park(struct core *core, uint32_t path, uint32_t gate, uint64_t until_us)
{
	struct path *p = path_at(core, path);

	detach(core, path);
	p->state = PATH_PARKED;
	p->gate = gate;
	list_push(&gate_at(core, gate)->waiters, path_kin(core), path);
	if (until_us == 0) {
		gate_wake(core, gate);
	} else {
		gate_wait(core, gate, until_us);
	}
}

void
path_admit(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);

	p->tickets |= gate_ticket(core, p->gate);
	p->gate = NIL;
	p->state = PATH_FULL;
	path_settle(core, path);
}

void
path_unpark(struct core *core, uint32_t path, uint32_t gate)
{
	const struct path *p = path_at(core, path);

	if (p->state == PATH_PARKED && p->gate == gate) {
		detach(core, path);
		path_settle(core, path);
	}
}

/* ---- closed for a time ------------------------------------------------------
 */

static void
close_until(
    struct core *core, uint32_t path, enum path_state state, uint64_t until_us)
{
	struct path *p = path_at(core, path);

	detach(core, path);
	p->state = (uint8_t)state;
	p->is_probing = false;
	p->until_us = until_us;
	timer_set(core, TIMER_PATH, path, until_us);
	count_window(core, p);
	if (p->inflight > 0 && !p->is_cancelling) {
		p->is_cancelling = true;
		list_push(&core->cancelling, cancel_kin(core), path);
	}
}

static void
die(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);
	uint32_t step = p->failures < array_len(rest_s)
	    ? p->failures
	    : (uint32_t)array_len(rest_s) - 1;

	p->failures++;
	p->is_dead = true;
	p->cohorts = 0;
	p->window = 1;
	close_until(
	    core, path, PATH_DEAD, core->now_us + rest_s[step] * 1000000ULL);
}

static void
reopen(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);

	timer_set(core, TIMER_PATH, path, UINT64_MAX);
	p->until_us = 0;
	p->is_probing = p->is_dead;
	p->state = PATH_FULL;
	path_settle(core, path);
}

void
path_probe(struct core *core, uint32_t path)
{
	if (path_at(core, path)->state == PATH_DEAD) {
		reopen(core, path);
	}
}

void
path_timer(struct core *core, uint32_t path)
{
	if (is_closed(path_at(core, path))) {
		reopen(core, path);
	}
}

int
core_path_suspend(struct core *core, uint32_t path, uint64_t until_us)
{
	if (path == NIL || path >= core->paths.used ||
	    path_at(core, path)->ring == NIL) {
		return -ENOENT;
	}
	if (until_us > core->now_us) {
		close_until(core, path, PATH_SUSPENDED, until_us);
	} else if (is_closed(path_at(core, path))) {
		reopen(core, path);
	}
	return 0;
}

int
core_path_restore(struct core *core, uint32_t site, uint32_t source,
    const struct core_path_past *past)
{
	uint32_t path;
	struct path *p;

	if (source >= CORE_SOURCES || core->sources[source].gate == NIL ||
	    site >= core->sites.used || site_at(core, site)->gate == NIL) {
		return -ENOENT;
	}
	path = path_get(
	    core, ring_get(core, site, core->sources[source].pool), source);
	p = path_at(core, path);
	p->window = past->window > 1 ? past->window : 1;
	p->failures = past->failures;
	if (past->failures > 0) {
		p->is_dead = true;
		close_until(core, path, PATH_DEAD, past->until_us);
	}
	path_settle(core, path);
	return 0;
}

bool
path_next_cancel(struct core *core, struct core_out *out)
{
	uint32_t i;

	while ((i = list_pop(&core->cancelling, cancel_kin(core))) != NIL) {
		path_at(core, i)->is_cancelling = false;
		if (path_at(core, i)->inflight > 0) {
			out->kind = CORE_CANCEL;
			out->path = i;
			out->msg = CORE_NONE;
			return true;
		}
	}
	return false;
}

/* ---- feedback
 * ------------------------------------------------------------------ */

static void
answered(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);

	p->cohorts = 0;
	if (p->is_dead) {
		p->is_dead = false;
		p->failures = 0;
		p->window = limited(core, p, REVIVED);
		p->is_probing = false;
		if (p->state == PATH_DEAD) {
			reopen(core, path);
		}
		return;
	}
	/* An idle path's window must not grow to what was never tried. */
	if (p->window < p->inflight + 1 + initial_window(core, p)) {
		p->window += 1 / p->window;
	}
}

static void
failed(struct core *core, uint32_t path, enum core_feedback feedback)
{
	struct path *p = path_at(core, path);

	if (is_closed(p)) {
		return; /* what was under way when it was closed */
	}
	if (p->is_probing) {
		die(core, path);
		return;
	}
	if (feedback == CORE_FB_CONNECT) {
		/* As many in a row as there are connections: it is dead. */
		p->cohorts += 1.0 / (uint32_t)p->window;
	}
	p->window = p->window * SHRINK > 1 ? p->window * SHRINK : 1;
	if (p->cohorts >= 1) {
		die(core, path);
	}
}

void
path_feedback(struct core *core, uint32_t path, enum core_feedback feedback)
{
	switch (feedback) {
	case CORE_FB_OK:
		answered(core, path);
		break;
	case CORE_FB_THROTTLE:
	case CORE_FB_CONNECT:
		failed(core, path, feedback);
		break;
	}
}
