/*
 * Connections of paths and of the whole process: their lists, their places,
 * and whom they serve.
 */
#include "deliver.h"
#include "service.h"
#include "session.h"

static struct {
	struct path_list starving;
	struct session_list idle; /* of all paths, longest idle first */
	unsigned n_sessions;
	unsigned n_parting; /* of these */
} all;

void
path_conns_init(void)
{
	TAILQ_INIT(&all.starving);
	TAILQ_INIT(&all.idle);
}

void
path_conns_fini(void)
{
	sessions_fini();
	all.n_sessions = 0;
	all.n_parting = 0;
}

unsigned
paths_sessions(void)
{
	return all.n_sessions - all.n_parting;
}

/* ---- room -------------------------------------------------------------- */

/* Waits for the process's limit. */
static void
starve(struct path *p)
{
	if (!p->is_starving) {
		TAILQ_INSERT_TAIL(&all.starving, p, starving);
		p->is_starving = true;
	}
}

void
path_starves_no_more(struct path *p)
{
	if (p->is_starving) {
		TAILQ_REMOVE(&all.starving, p, starving);
		p->is_starving = false;
	}
}

/* As far as the process is concerned; the session idle longest makes room. */
bool
path_has_room(struct path *p)
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

void
path_open(struct path *p, struct job *j)
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

struct session *
path_find_idle(struct path *p, const struct job *j)
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
struct session *
path_find_unbound(struct path *p, const struct job *j)
{
	struct session *s;

	TAILQ_FOREACH (s, &p->opening, link) {
		if (s->job == NULL && session_will_serve(s, j)) {
			return s;
		}
	}
	return NULL;
}

/* ---- what sessions become ------------------------------------------------ */

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
		path_starves_no_more(starving);
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
	all.n_parting++;
	leave(s);
}

void
path_session_parted(struct session *s)
{
	s->path->n_parting--;
	all.n_parting--;
	path_touch(s->path);
	feed_starving();
}

/* ---- the end ------------------------------------------------------------- */

/* Nobody waits for what these would be open for: a server that takes its time
 * must not hold up the end. */
void
path_close_unbound(struct path *p)
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
path_conns_quit_idle(void)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&all.idle)) != NULL) {
		session_quit(s);
	}
}
