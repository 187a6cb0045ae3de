#include "conns.h"

#include <string.h>

#include "core_name.h"
#include "map.h"
#include "paths.h"
#include "qmgr.h"
#include "sources.h"

/* A path of a deliver process. */
struct conns {
	uint32_t path;	  /* of the core */
	unsigned channel; /* in which it was told */
	uint32_t open;	  /* as it was told */
	uint32_t usable;
	uint32_t ready;
	uint32_t allowed; /* jobs on their way that may open one */
	uint32_t asked;	  /* to be closed, without an answer yet */
};

/* A map's key as it was put. */
static uint64_t
number_of(struct str key)
{
	uint64_t n;

	memcpy(&n, key.p, sizeof(n));
	return n;
}

static int32_t
less(uint32_t now, uint32_t before)
{
	return (int32_t)(now - before);
}

/* The core hears what the difference is. */
static void
change(struct qmgr *q, const struct conns *from, const struct conns *to)
{
	const struct core_conns by = {
		.open =
		    less(to->open + to->allowed, from->open + from->allowed),
		.usable = less(
		    to->usable + to->allowed, from->usable + from->allowed),
		.ready = less(to->ready, from->ready),
		.asked = less(from->asked, to->asked),
	};

	core_conns_changed(q->core, to->path, &by);
}

/* They are no more. */
static void
clear(struct qmgr *q, const struct conns *c)
{
	const struct conns none = { .path = c->path };

	change(q, c, &none);
}

static struct conns *
get(struct qmgr *q, struct deliver *d, uint64_t key, uint32_t path)
{
	struct conns fresh = { .path = path, .channel = d->channel };
	struct conns *c;

	if (d->conns == NULL) {
		d->conns = map_new();
	}
	c = map_get_u64(d->conns, key);
	if (c == NULL) {
		c = mem_alloc(sizeof(*c));
		*c = fresh;
		(void)map_put_u64(d->conns, key, c);
	} else if (c->channel != d->channel) {
		clear(q, c);
		*c = fresh;
	}
	return c;
}

static bool
is_nothing(const struct conns *c)
{
	return c->open == 0 && c->allowed == 0 && c->asked == 0;
}

/* The core's number of a path that deliver knows by another one. */
static uint32_t
core_path(struct qmgr *q, const struct ipc_path_conns *m)
{
	uint32_t site;

	if (m->path <= UINT32_MAX) {
		return (uint32_t)m->path;
	}
	site = paths_site(q, m->site);
	/* Until its mail is resolved nobody else says whose site it is. */
	core_site_belongs(
	    q->core, site, paths_provider(q, m->site, m->provider));
	return core_path_named(q->core, site, paths_source_at(q, m->source_ip));
}

void
conns_told(struct qmgr *q, unsigned deliver, const struct ipc_path_conns *m)
{
	struct deliver *d = &q->delivers[deliver];
	struct conns *c = get(q, d, m->path, core_path(q, m));
	struct conns was = *c;

	c->open = m->open;
	c->usable = m->usable;
	c->ready = m->ready;
	c->allowed -= m->allowed < c->allowed ? m->allowed : c->allowed;
	c->asked -= m->asked < c->asked ? m->asked : c->asked;
	if (m->open == 0) {
		c->asked = 0; /* it may have gone before it was asked */
	}
	change(q, &was, c);
	if (is_nothing(c)) {
		free(map_del_u64(d->conns, m->path));
	}
	turn_wanted(q);
}

void
conns_allowed(struct qmgr *q, unsigned deliver, uint32_t path)
{
	/* The core has counted it already. */
	get(q, &q->delivers[deliver], path, path)->allowed++;
}

/* ---- closing ------------------------------------------------------------ */

/* Asks to close up to n; returns how many. */
static uint32_t
ask(struct deliver *d, uint64_t key, struct conns *c, uint32_t n)
{
	struct ipc_conn_close m = { .path = key };
	uint32_t most = c->ready > c->asked ? c->ready - c->asked : 0;

	m.count = most < n ? most : n;
	if (m.count != 0) {
		c->asked += m.count;
		(void)peer_send(d->peer, IPC_conn_close, 0, &m);
	}
	return m.count;
}

/* Of one process; under whatever numbers it has the path. */
static uint32_t
ask_process(struct deliver *d, uint32_t path, uint32_t n)
{
	struct str key;
	size_t at = 0;
	uint32_t asked = 0;
	void *found;

	while (asked < n && map_next(d->conns, &at, &key, &found)) {
		struct conns *c = found;

		if (c->path == path) {
			asked += ask(d, number_of(key), c, n - asked);
		}
	}
	return asked;
}

void
conns_close(struct qmgr *q, const struct core_out *o)
{
	struct core_conns none = { 0 };
	uint32_t left = o->conns;

	for (unsigned i = 0; i < q->n_delivers && left > 0; i++) {
		struct deliver *d = &q->delivers[i];

		if (d->conns != NULL && d->peer != NULL) {
			left -= ask_process(d, o->path, left);
		}
	}
	if (left > 0) {
		none.asked = (int32_t)left;
		core_conns_changed(q->core, o->path, &none);
	}
}

/* ---- channels ----------------------------------------------------------- */

void
conns_begin(struct qmgr *q, unsigned deliver)
{
	q->delivers[deliver].channel++;
}

void
conns_down(struct qmgr *q, unsigned deliver)
{
	struct map *conns = q->delivers[deliver].conns;
	struct str key;
	size_t at = 0;
	void *found;

	while (conns != NULL && map_next(conns, &at, &key, &found)) {
		struct conns *c = found;
		struct conns was = *c;

		c->open += c->allowed;
		c->usable = c->ready = c->allowed = c->asked = 0;
		change(q, &was, c);
	}
}

/* Forgets what was said in other channels than this one. */
static void
forget(struct qmgr *q, struct deliver *d, unsigned but)
{
	struct str key;
	size_t at = 0;
	void *found;

	while (d->conns != NULL && map_next(d->conns, &at, &key, &found)) {
		struct conns *c = found;

		if (c->channel != but) {
			clear(q, c);
			(void)map_del_u64(d->conns, number_of(key));
			free(c);
		}
	}
}

void
conns_settled(struct qmgr *q, unsigned deliver)
{
	forget(q, &q->delivers[deliver], q->delivers[deliver].channel);
}

void
conns_lost(struct qmgr *q, unsigned deliver)
{
	struct deliver *d = &q->delivers[deliver];

	forget(q, d, d->channel + 1);
	map_free(&d->conns, free);
}
