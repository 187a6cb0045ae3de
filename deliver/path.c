#include "path.h"

#include <string.h>

#include "clock.h"
#include "deliver.h"
#include "loop.h"
#include "map.h"
#include "result.h"
#include "service.h"
#include "session.h"

TAILQ_HEAD(path_list, path);

static struct {
	struct map *by_id;
	struct path_list starving;
	struct path_list dirty;
	struct session_list idle; /* of all paths, longest idle first */
	unsigned n_sessions;
	struct loop_defer work;
	unsigned n_orphans;
	uint64_t n_outlived;
} all;

void
paths_init(void)
{
	all.by_id = map_new();
	patience_init();
	TAILQ_INIT(&all.starving);
	TAILQ_INIT(&all.dirty);
	TAILQ_INIT(&all.idle);
}

unsigned
paths_sessions(void)
{
	return all.n_sessions;
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

	p->id = id;
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
	if (p->is_starving) {
		TAILQ_REMOVE(&all.starving, p, starving);
	}
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
			p->id = m->path;
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

static void
leave_idle(struct session *s)
{
	if (s->is_idle) {
		TAILQ_REMOVE(&s->path->idle, s, link);
		TAILQ_REMOVE(&all.idle, s, idle);
		s->is_idle = false;
	}
}

static void
leave_opening(struct session *s)
{
	if (s->is_opening) {
		TAILQ_REMOVE(&s->path->opening, s, link);
		s->is_opening = false;
		path_touch(s->path); /* qmgr hears that it is ready */
	}
}

static void
starve(struct path *p)
{
	if (!p->is_starving) {
		TAILQ_INSERT_TAIL(&all.starving, p, starving);
		p->is_starving = true;
	}
}

/* As far as the process is concerned; the session idle longest makes room. */
static bool
process_has_room(struct path *p)
{
	uint64_t limit = conf()->deliver_connection_limit;

	if (all.n_sessions >= limit && !TAILQ_EMPTY(&all.idle)) {
		session_quit(TAILQ_FIRST(&all.idle));
	}
	if (all.n_sessions >= limit) {
		starve(p);
		return false;
	}
	return true;
}

static void
open_session(struct path *p, struct job *j)
{
	struct session *s = session_new(p);

	place_drop(j);
	p->n_sessions++;
	all.n_sessions++;
	s->is_opening = true;
	TAILQ_INSERT_TAIL(&p->opening, s, link);
	j->state = JOB_BOUND;
	if (j->start_us != 0) {
		patience_begin();
	}
	session_open(s, j);
}

static struct session *
find_idle(struct path *p, const struct job *j)
{
	struct session *s;

	TAILQ_FOREACH (s, &p->idle, link) {
		if (session_serves(s, j)) {
			return s;
		}
	}
	return NULL;
}

/* A session whose job went elsewhere while it is being opened. */
static struct session *
find_unbound(struct path *p, const struct job *j)
{
	struct session *s;

	TAILQ_FOREACH (s, &p->opening, link) {
		if (s->job == NULL && session_will_serve(s, j)) {
			return s;
		}
	}
	return NULL;
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
	} else if (p->n_sessions > 0 && !j->is_fresh) {
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
	struct session *s = find_idle(p, j);

	if (s != NULL) {
		unset_waiting(j);
		place_pass(j);
		session_start(s, j);
		return true;
	}
	s = find_unbound(p, j);
	if (s != NULL) {
		unset_waiting(j);
		place_pass(j);
		session_bind(s, j);
		return true;
	}
	if (p->n_sessions >= p->limit || !place_find(p, j)) {
		return make_place(p, j);
	}
	if (!process_has_room(p)) {
		return false;
	}
	unset_waiting(j);
	open_session(p, j);
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
path_session_idle(struct session *s)
{
	struct path *p = s->path;

	leave_opening(s);
	s->is_idle = true;
	TAILQ_INSERT_HEAD(&p->idle, s, link);
	TAILQ_INSERT_TAIL(&all.idle, s, idle);
	if (!TAILQ_EMPTY(&p->waiting)) {
		path_touch(p); /* for jobs that this session cannot carry */
	}
	/* Starving paths wait for the room that an idle session takes. */
	if (p->n_sessions > p->limit || deliver_is_draining() ||
	    !TAILQ_EMPTY(&all.starving)) {
		session_quit(s);
	}
}

void
path_session_busy(struct session *s)
{
	leave_idle(s);
	leave_opening(s);
}

/* Its place is that of a waiting job, unless qmgr must decide about it. */
static void
leave(struct session *s)
{
	struct path *p = s->path;

	leave_idle(s);
	leave_opening(s);
	p->n_sessions--;
	if (!p->is_counted && !p->is_rated &&
	    p->n_sessions + p->n_allowed < p->limit) {
		place_give(p, 0);
	}
	path_touch(p);
}

/* The process has room for one more. */
static void
feed_starving(void)
{
	struct path *starving = TAILQ_FIRST(&all.starving);

	all.n_sessions--;
	if (starving != NULL) {
		TAILQ_REMOVE(&all.starving, starving, starving);
		starving->is_starving = false;
		path_touch(starving);
	}
}

void
path_session_gone(struct session *s)
{
	leave(s);
	feed_starving();
}

void
path_session_parting(struct session *s)
{
	s->path->n_parting++;
	leave(s);
}

void
path_session_parted(struct session *s)
{
	s->path->n_parting--;
	path_touch(s->path);
	feed_starving();
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

/* Nobody waits for what these would be open for: a server that takes its time
 * must not hold up the end. */
static void
close_unbound(struct path *p)
{
	struct session *s = TAILQ_FIRST(&p->opening);

	while (s != NULL) {
		struct session *next = TAILQ_NEXT(s, link);

		if (s->job == NULL) {
			session_close(s);
		}
		s = next;
	}
}

void
paths_drain(void)
{
	struct session *s;
	size_t at = 0;
	struct str key;
	void *path;

	while (map_next(all.by_id, &at, &key, &path)) {
		close_unbound(path);
	}
	while ((s = TAILQ_FIRST(&all.idle)) != NULL) {
		session_quit(s);
	}
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
	sessions_fini();
	all.n_sessions = 0;
	patience_fini();
	if (all.by_id != NULL) {
		map_free(&all.by_id, path_forget);
	}
}
