#include "path.h"

#include <string.h>

#include "clock.h"
#include "deliver.h"
#include "loop.h"
#include "map.h"
#include "result.h"
#include "service.h"
#include "session.h"

static struct {
	struct map *by_id;
	struct path_list dirty;
	struct loop_defer work;
	unsigned n_orphans;
	uint64_t n_outlived;
} all;

void
paths_init(void)
{
	all.by_id = map_new();
	patience_init();
	path_conns_init();
	TAILQ_INIT(&all.dirty);
}

/* Replaces a text that has changed. */
static void
renew(char **text, struct str now)
{
	if (*text == NULL || !str_is(now, *text)) {
		free(*text);
		*text = str_dup(now);
	}
}

static void dispatch_dirty(void *arg);

/*
 * What a path should do next is decided once at the end of the turn: so no
 * callback of a session finds lists changed under it.
 */
void
path_touch(struct path *p)
{
	if (!p->is_dirty) {
		p->is_dirty = true;
		TAILQ_INSERT_TAIL(&all.dirty, p, dirty);
		loop_defer(&all.work, dispatch_dirty, NULL);
	}
}

static struct path *
path_new(uint32_t id)
{
	struct path *p = mem_alloc(sizeof(*p));

	p->key = id;
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->opening);
	TAILQ_INIT(&p->idle);
	(void)map_put_u64(all.by_id, id, p);
	return p;
}

static void
path_free(struct path *p)
{
	path_starves_no_more(p);
	if (p->is_dirty) {
		TAILQ_REMOVE(&all.dirty, p, dirty);
	}
	all.n_orphans -= p->is_orphan;
	free(p->site);
	free(p->provider);
	free(p->source_ip);
	free(p->source_name);
	free(p);
}

static void
rename_path(struct path *p, uint64_t key)
{
	(void)map_del_u64(all.by_id, p->key);
	p->key = key;
	(void)map_put_u64(all.by_id, p->key, p);
	path_touch(p);
}

/*
 * A new qmgr gives its numbers anew, and an address may get another name:
 * connections from one address must not carry mail for another. What is under
 * way ends on the path as it was.
 */
static void
outlive(struct path *p)
{
	path_tell_none(p);
	rename_path(p, ++all.n_outlived << 32); /* no number of qmgr's */
}

static bool
is_from_elsewhere(const struct path *p, const struct ipc_job *m)
{
	return !str_is(m->source_ip, p->source_ip) ||
	    !str_is(m->source_name, p->source_name);
}

/* The path as the qmgr before knew it: its connections go on being used. */
static struct path *
find_orphan(const struct ipc_job *m)
{
	struct str key;
	size_t at = 0;
	void *found;

	while (all.n_orphans > 0 && map_next(all.by_id, &at, &key, &found)) {
		struct path *p = found;

		if (p->is_orphan && str_is(m->site, p->site) &&
		    !is_from_elsewhere(p, m)) {
			p->is_orphan = false;
			all.n_orphans--;
			path_tell_none(p);
			rename_path(p, m->path);
			return p;
		}
	}
	return NULL;
}

void
path_assign(struct job *j, const struct ipc_job *m)
{
	struct path *p = map_get_u64(all.by_id, m->path);

	if (p != NULL && is_from_elsewhere(p, m)) {
		outlive(p);
		p = NULL;
	}
	if (p == NULL) {
		p = find_orphan(m);
	}
	if (p == NULL) {
		p = path_new(m->path);
	}
	p->limit = m->conn_limit > 0 ? m->conn_limit : 1;
	p->is_counted = m->is_counted != 0;
	p->is_rated = m->open_ms != 0;
	if (m->may_open != 0) {
		j->may_open = true;
		p->n_allowed++;
		p->told.allowed++;
	}
	p->conn_messages = m->conn_messages;
	p->conn_us = m->conn_seconds * US_PER_S;
	renew(&p->site, m->site);
	renew(&p->provider, m->provider);
	renew(&p->source_ip, m->source_ip);
	renew(&p->source_name, m->source_name);
	p->n_jobs++;
	j->path = p;
}

void
path_release(struct job *j)
{
	if (j->path != NULL) {
		place_drop(j);
		j->path->n_jobs--;
		path_touch(j->path);
		j->path = NULL;
	}
}

static void
unset_waiting(struct job *j)
{
	TAILQ_REMOVE(&j->path->waiting, j, link);
	j->state = JOB_NEW;
}

/*
 * Nothing serves the job. An idle connection that does not suit it gives it
 * its place; where new connections are limited, or none is left, qmgr decides
 * anew. False: it waits for one that is in use.
 */
static bool
make_place(struct path *p, struct job *j)
{
	struct session *s = TAILQ_LAST(&p->idle, session_list);

	if (s != NULL) {
		session_quit(s);
	} else if (p->n_sessions > 0 && (j->may_open || !j->is_fresh)) {
		return false;
	}
	if (!j->may_open) {
		unset_waiting(j);
		result_return(&j);
	}
	return true;
}

/* The first waiting job; false when it must go on waiting. */
static bool
dispatch_first(struct path *p, struct job *j)
{
	struct session *s = path_find_idle(p, j);

	if (s != NULL) {
		unset_waiting(j);
		place_pass(j);
		session_start(s, j);
		return true;
	}
	s = path_find_unbound(p, j);
	if (s != NULL) {
		unset_waiting(j);
		place_pass(j);
		session_bind(s, j);
		return true;
	}
	if (p->n_sessions >= p->limit || !place_find(p, j)) {
		return make_place(p, j);
	}
	if (!path_has_room(p)) {
		return false;
	}
	unset_waiting(j);
	path_open(p, j);
	return true;
}

static void
dispatch_dirty(void *arg)
{
	struct path *p;

	(void)arg;
	while ((p = TAILQ_FIRST(&all.dirty)) != NULL) {
		struct job *j;

		TAILQ_REMOVE(&all.dirty, p, dirty);
		p->is_dirty = false;
		while ((j = TAILQ_FIRST(&p->waiting)) != NULL &&
		    dispatch_first(p, j)) {
		}
		if (!TAILQ_EMPTY(&p->waiting)) {
			patience_begin();
		}
		path_tell(p);
		if (p->n_sessions == 0 && p->n_jobs == 0 && p->n_parting == 0 &&
		    !p->is_dirty) {
			(void)map_del_u64(all.by_id, p->key);
			path_free(p);
		}
	}
	deliver_progress();
}

void
path_add(struct job *j)
{
	bug_on(j->state != JOB_NEW);
	j->state = JOB_WAITING;
	TAILQ_INSERT_TAIL(&j->path->waiting, j, link);
	path_touch(j->path);
}

void
path_put_back(struct job *j)
{
	bug_on(j->state != JOB_NEW);
	j->state = JOB_WAITING;
	TAILQ_INSERT_HEAD(&j->path->waiting, j, link);
	path_touch(j->path);
}

struct job *
path_take(struct session *s)
{
	struct path *p = s->path;
	struct session *other;
	struct job *j;

	TAILQ_FOREACH (j, &p->waiting, link) {
		if (session_serves(s, j)) {
			unset_waiting(j);
			place_pass(j);
			return j;
		}
	}
	TAILQ_FOREACH (other, &p->opening, link) {
		j = other->job;
		if (other != s && j != NULL && session_serves(s, j)) {
			session_unbind(other);
			return j;
		}
	}
	return NULL;
}

bool
path_withdraw(struct job *j)
{
	switch (j->state) {
	case JOB_NEW:
		return true;
	case JOB_ROUTING:
		route_withdraw(j);
		return true;
	case JOB_WAITING:
		unset_waiting(j);
		return true;
	case JOB_BOUND:
		session_unbind(j->session);
		return true;
	case JOB_STARTED:
		return false;
	}
	return false;
}

void
path_close_idle(uint64_t key, unsigned count)
{
	struct path *p = map_get_u64(all.by_id, key);

	if (p == NULL) {
		return; /* with its last connection, which qmgr hears of */
	}
	p->told.asked += count;
	path_touch(p);
	while (count > 0 && !TAILQ_EMPTY(&p->idle)) {
		session_quit(TAILQ_LAST(&p->idle, session_list));
		count--;
	}
}

/* ---- a new queue manager ------------------------------------------------ */

void
paths_tell(void)
{
	struct map *named = all.by_id;
	struct str key;
	size_t at = 0;
	void *found;

	all.by_id = map_new();
	all.n_orphans = 0;
	while (map_next(named, &at, &key, &found)) {
		struct path *p = found;

		p->key = ++all.n_outlived << 32;
		(void)map_put_u64(all.by_id, p->key, p);
		p->is_orphan = true;
		all.n_orphans++;
		p->told = (struct path_told){ 0 };
		path_tell(p);
	}
	map_free(&named, NULL);
}

void
paths_drain(void)
{
	size_t at = 0;
	struct str key;
	void *path;

	while (map_next(all.by_id, &at, &key, &path)) {
		path_close_unbound(path);
	}
	path_conns_quit_idle();
}

static void
path_forget(void *value)
{
	path_free(value);
}

void
paths_fini(void)
{
	loop_defer_cancel(&all.work);
	path_conns_fini();
	patience_fini();
	if (all.by_id != NULL) {
		map_free(&all.by_id, path_forget);
	}
}
