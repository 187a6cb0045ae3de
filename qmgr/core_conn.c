/*
 * Connections. A path opens one when a job has none to go over, as far as its
 * window and the limits of its gates allow; the job carries the permission.
 * deliver tells what becomes of them. An idle one holds its place at the
 * gates, until a path that has none waits there: then deliver is asked to
 * close it.
 */
#include "core_impl.h"

/* Waiters that may be passed by one with a connection: thousands can wait at a
 * provider, and whoever is further back gives its idle connection up to them.
 */
#define LOOK_AHEAD 64u

bool
conn_counts_at(const struct core *core, uint32_t gate)
{
	return gate_at(core, gate)->level <= CORE_LEVEL_SOURCE;
}

/* ---- what a path has ---------------------------------------------------- */

/* That it keeps. */
static uint32_t
kept(const struct path *p)
{
	return p->usable > p->closing ? p->usable - p->closing : 0;
}

/* That wait for a job. */
static uint32_t
spare(const struct path *p)
{
	uint32_t used = p->inflight + p->closing;

	return p->ready > used ? p->ready - used : 0;
}

/* Jobs it may have in flight, of which so many go over one connection. */
static uint32_t
credit(const struct core *core, const struct path *p)
{
	return p->is_probing || p->is_paced || p->is_stuck ? 1
							   : core->conf.credit;
}

/* One more job has a use for one more connection. */
static bool
lacks_one(const struct path *p)
{
	uint32_t n = path_connections(p);

	return kept(p) < (p->inflight < n ? p->inflight + 1 : n);
}

/* Over the connections that it has. What is paced must not wait behind their
 * opening: it would go in a bunch then. */
static bool
has_room(const struct core *core, const struct path *p)
{
	return p->is_paced ? spare(p) > 0
			   : p->inflight < credit(core, p) * kept(p);
}

bool
conn_has_room(const struct core *core, const struct path *p)
{
	return p->inflight < credit(core, p) * path_connections(p) &&
	    (lacks_one(p) || has_room(core, p));
}

void
conn_settle(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);
	bool is_idle = spare(p) > 0;

	if (is_idle && !p->is_idle) {
		list_push(&core->idle, idle_kin(core), path);
	} else if (!is_idle && p->is_idle) {
		list_remove(&core->idle, idle_kin(core), path);
	}
	p->is_idle = is_idle;
}

/* ---- what gates allow --------------------------------------------------- */

static bool
has_rate(const struct core_limits *l)
{
	return l->rate_conns > 0 && l->rate_conn_s > 0;
}

/* Rounded so that the rate is never exceeded. */
static uint64_t
spacing_us(const struct core_limits *l)
{
	return (l->rate_conn_s * 1000000ULL + l->start_ms * 1000ULL +
		   l->rate_conns - 1) /
	    l->rate_conns;
}

void
conn_assume_used(const struct core *core, struct gate *g)
{
	const struct core_limits *l = gate_limits(core, g);

	if (has_rate(l) && g->conn_tat_us == 0) {
		g->conn_tat_us = core->begun_us +
		    spacing_us(l) * (l->conn_burst > 1 ? l->conn_burst : 1);
	}
}

static uint64_t
rate_opens_us(const struct gate *g, const struct core_limits *l)
{
	uint64_t slack;

	if (!has_rate(l)) {
		return 0;
	}
	slack = spacing_us(l) * (l->conn_burst > 1 ? l->conn_burst - 1 : 0);
	return g->conn_tat_us > slack ? g->conn_tat_us - slack : 0;
}

enum core_stop
conn_stop(const struct core *core, uint32_t gate)
{
	const struct gate *g = gate_at(core, gate);
	const struct core_limits *l = gate_limits(core, g);

	if (l->max_conn > 0 && g->conns >= l->max_conn) {
		return CORE_STOP_CONNECTIONS;
	}
	return rate_opens_us(g, l) > core->now_us ? CORE_STOP_CONNECTION_RATE
						  : CORE_STOP_NONE;
}

/* When to look again. */
static uint64_t
opens_us(const struct core *core, uint32_t gate)
{
	const struct gate *g = gate_at(core, gate);
	uint64_t end_us = g->override_until_us > core->now_us
	    ? g->override_until_us
	    : UINT64_MAX;
	uint64_t rate_us = rate_opens_us(g, gate_limits(core, g));

	return rate_us > core->now_us && rate_us < end_us ? rate_us : end_us;
}

/* ---- counts ------------------------------------------------------------- */

static void
add(struct core *core, uint32_t gate, int64_t conns, int64_t closing)
{
	struct gate *g = gate_at(core, gate);

	g->conns = (uint32_t)(g->conns + conns);
	g->closing = (uint32_t)(g->closing + closing);
}

static void
add_all(struct core *core, uint32_t path, int64_t conns, int64_t closing)
{
	uint32_t gates[PATH_GATES];
	uint32_t n = path_gates(core, path_at(core, path), gates);

	for (uint32_t i = 0; i < n; i++) {
		if (conn_counts_at(core, gates[i])) {
			add(core, gates[i], conns, closing);
			gate_wake(core, gates[i]);
		}
	}
}

void
conn_count(struct core *core, uint32_t path, int sign)
{
	const struct path *p = path_at(core, path);

	if (p->conns > 0 || p->closing > 0) {
		add_all(core, path, sign * (int64_t)p->conns,
		    sign * (int64_t)p->closing);
	}
}

void
conn_count_at(struct core *core, uint32_t path, uint32_t gate)
{
	const struct path *p = path_at(core, path);

	add(core, gate, p->conns, p->closing);
}

void
conn_open(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);
	uint32_t gates[PATH_GATES];
	uint32_t n = path_gates(core, p, gates);

	p->conns++;
	p->usable++;
	p->turns = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct gate *g = gate_at(core, gates[i]);
		const struct core_limits *l = gate_limits(core, g);

		if (!conn_counts_at(core, gates[i])) {
			continue;
		}
		g->conns++;
		if (has_rate(l)) {
			g->conn_tat_us = spacing_us(l) +
			    (g->conn_tat_us > core->now_us ? g->conn_tat_us
							   : core->now_us);
		}
	}
}

static void
trim_all(struct core *core, uint32_t path)
{
	uint32_t gates[PATH_GATES];
	uint32_t n = path_gates(core, path_at(core, path), gates);

	for (uint32_t i = 0; i < n; i++) {
		conn_trim(core, gates[i]);
	}
}

/* What deliver says is never more than it was allowed or asked. */
static void
change(uint32_t *n, int32_t by)
{
	int64_t to = (int64_t)*n + by;

	*n = to > 0 ? (uint32_t)to : 0;
}

void
core_conns_changed(
    struct core *core, uint32_t path, const struct core_conns *by)
{
	struct path *p;
	uint32_t conns, closing;

	if (path == NIL || path >= core->paths.used ||
	    path_at(core, path)->ring == NIL) {
		return;
	}
	p = path_at(core, path);
	conns = p->conns;
	closing = p->closing;
	change(&p->conns, by->open);
	change(&p->usable, by->usable);
	change(&p->ready, by->ready);
	change(&p->closing, -by->asked);
	add_all(core, path, (int64_t)p->conns - conns,
	    (int64_t)p->closing - closing);
	site_at(core, ring_at(core, p->ring)->site)->used_us = core->now_us;
	p->held_by = NIL;
	path_settle(core, path);
	trim_all(core, path);
}

uint32_t
core_path_named(struct core *core, uint32_t site, uint32_t source)
{
	if (source >= CORE_SOURCES || core->sources[source].gate == NIL ||
	    site >= core->sites.used || site_at(core, site)->gate == NIL) {
		return CORE_NONE;
	}
	return path_get(
	    core, ring_get(core, site, core->sources[source].pool), source);
}

/* ---- closing ------------------------------------------------------------ */

static void
ask(struct core *core, uint32_t path)
{
	struct path *p = path_at(core, path);

	p->closing++;
	p->to_ask++;
	add_all(core, path, 0, 1);
	conn_settle(core, path);
	if (!p->is_asking) {
		p->is_asking = true;
		list_push(&core->asking, ask_path_kin(core), path);
	}
}

bool
conn_next_close(struct core *core, struct core_out *out)
{
	uint32_t i = list_pop(&core->asking, ask_path_kin(core));

	if (i == NIL) {
		return false;
	}
	out->kind = CORE_CLOSE;
	out->path = i;
	out->conns = path_at(core, i)->to_ask;
	path_at(core, i)->is_asking = false;
	path_at(core, i)->to_ask = 0;
	return true;
}

/* It will use its connection at once, and has not done so for long. */
static bool
is_in_turn(const struct core *core, const struct path *p)
{
	return p->state == PATH_AVAIL && ring_at(core, p->ring)->nactive > 0 &&
	    p->turns < core->conf.conn_share;
}

/* The path that was idle first of those whose connections count at the gate;
 * unless all may be taken, not one that is about to use them. */
static uint32_t
find_idle(const struct core *core, uint32_t gate, bool may_be_any)
{
	uint32_t i = core->idle;

	while (i != NIL) {
		const struct path *p = path_at(core, i);

		if (path_is_at(core, p, gate) &&
		    (may_be_any || !is_in_turn(core, p))) {
			return i;
		}
		i = list_next(core->idle, idle_kin(core), i);
	}
	return NIL;
}

/* Somebody who has none waits for a place: one is made, unless it is coming. */
static void
make_room(struct core *core, uint32_t gate)
{
	const struct gate *g = gate_at(core, gate);
	uint32_t max = gate_limits(core, g)->max_conn;
	uint32_t i;

	if (max == 0 || g->conns < max || g->conns - g->closing < max) {
		return;
	}
	i = find_idle(core, gate, false);
	if (i != NIL) {
		ask(core, i);
	}
}

void
conn_trim(struct core *core, uint32_t gate)
{
	const struct gate *g = gate_at(core, gate);
	uint32_t max = gate_limits(core, g)->max_conn;
	uint32_t i;

	while (max > 0 && g->conns > g->closing &&
	    g->conns - g->closing > max &&
	    (i = find_idle(core, gate, true)) != NIL) {
		ask(core, i);
	}
}

/* ---- the schedule's questions ------------------------------------------- */

bool
conn_goes_first(const struct core *core, const struct path *p, uint32_t gate)
{
	const struct core_limits *l = gate_limits(core, gate_at(core, gate));

	return conn_counts_at(core, gate) && !gate_is_paced(core, gate) &&
	    kept(p) > 0 &&
	    (l->max_conn == 0 || p->turns < core->conf.conn_share);
}

uint32_t
conn_next_waiter(struct core *core, uint32_t gate, uint64_t *until_us)
{
	uint32_t first = gate_at(core, gate)->waiters;
	uint32_t i = first;

	if (conn_stop(core, gate) == CORE_STOP_NONE) {
		return first;
	}
	*until_us = opens_us(core, gate);
	for (uint32_t n = 0; n < LOOK_AHEAD && i != NIL; n++) {
		if (kept(path_at(core, i)) > 0) {
			return i;
		}
		if (i == first) {
			make_room(core, gate);
		}
		i = list_next(first, path_kin(core), i);
	}
	return NIL;
}

/* Nobody waits there, or its turn has come. */
static bool
may_open_at(const struct core *core, const struct path *p, uint32_t gate)
{
	return conn_stop(core, gate) == CORE_STOP_NONE &&
	    (gate_at(core, gate)->waiters == NIL ||
		(p->tickets & gate_ticket(core, gate)) != 0);
}

bool
conn_passes(struct core *core, uint32_t path, const uint32_t *gates, uint32_t n)
{
	struct path *p = path_at(core, path);

	p->may_open = false;
	if (!lacks_one(p)) {
		return true;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!conn_counts_at(core, gates[i]) ||
		    may_open_at(core, p, gates[i])) {
			continue;
		}
		if (has_room(core, p)) {
			return true;
		}
		if (p->inflight > 0) {
			/* The next result lets it look again. */
			p->held_by = gates[i];
			path_settle(core, path);
		} else {
			make_room(core, gates[i]);
			path_park(
			    core, path, gates[i], opens_us(core, gates[i]));
		}
		return false;
	}
	p->may_open = true;
	return true;
}
