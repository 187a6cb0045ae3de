/*
 * A path: jobs of one site and source address, which share connections. Its
 * jobs wait in a list; an idle connection takes the next one at once, else a
 * new one is opened if a job allows it, up to the limit of the process. qmgr
 * counts connections and hears of each change (path_tell.c).
 */
#ifndef DELIVER_PATH_H
#define DELIVER_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ipc.h"
#include "job.h"

struct session;
TAILQ_HEAD(session_list, session);

/* What qmgr has heard of the path's connections. */
struct path_told {
	unsigned open;
	unsigned usable;
	unsigned ready;
	unsigned allowed; /* to be acknowledged */
	unsigned asked;	  /* the same */
};

TAILQ_HEAD(path_list, path);

struct path {
	TAILQ_ENTRY(path) starving; /* waits for the process's limit */
	TAILQ_ENTRY(path) dirty;    /* something changed in this turn */
	bool is_starving;
	bool is_dirty;
	uint64_t key; /* qmgr's number of it, or one beyond all of these */
	/* qmgr's newest word; 0: any number, any age. */
	unsigned limit;		/* window: connections, at least 1 */
	uint32_t conn_messages; /* transactions of a connection */
	uint64_t conn_us;	/* age of a connection */
	bool is_counted;	/* its connections are limited somewhere */
	bool is_rated;		/* so are new ones in a time */
	bool is_orphan;		/* a new qmgr has not named it yet */
	unsigned n_sessions;
	unsigned n_parting; /* connections that the server is to close */
	unsigned n_jobs;    /* in any state */
	unsigned n_allowed; /* of these, that may open a connection */
	struct path_told told;
	struct job_list waiting;
	struct session_list opening;
	struct session_list idle; /* longest idle last */
	char *site;
	char *provider;
	char *source_ip;   /* "": the system's choice */
	char *source_name; /* EHLO name; "": myhostname */
};

void paths_init(void);
/* All jobs are freed; sessions that are left are closed. */
void paths_fini(void);

/*
 * Gives the job its path: made when it is new, and when the message names
 * another address of ours or another name for it than before.
 */
void path_assign(struct job *j, const struct ipc_job *m);
/* The job is about to be freed. */
void path_release(struct job *j);

/* A job whose route is known (JOB_NEW) is to be delivered. It begins later
 * in this turn of the loop. */
void path_add(struct job *j);

/* The same for a job that a session could not begin: it is the next one. */
void path_put_back(struct job *j);

/*
 * The next job for a session that is open and free: from the list, or from
 * one that is still being opened. NULL: none. It is JOB_NEW.
 */
struct job *path_take(struct session *s);

/* Takes a job out of whatever holds it back; it is JOB_NEW then. False when
 * it is in a transaction already. */
bool path_withdraw(struct job *j);

/* qmgr wants so many idle connections closed. */
void path_close_idle(uint64_t key, unsigned count);

/* To a new qmgr, which has named no path: all that have connections. */
void paths_tell(void);

/* It changed: what it does next is decided at the end of the turn. */
void path_touch(struct path *p);

/* Ends all idle connections, and those being opened for nobody: nothing new
 * will come. */
void paths_drain(void);

/* ---- path_conns.c -------------------------------------------------------- */

void path_conns_init(void);
/* Closes all. */
void path_conns_fini(void);

/* Connections of the process that the end waits for: none after its QUIT. */
unsigned paths_sessions(void);

/* Sessions tell what they become. */
void path_session_idle(struct session *s);
void path_session_busy(struct session *s);
void path_session_gone(struct session *s);
/* It is over but for the server's end; that has come. */
void path_session_parting(struct session *s);
void path_session_parted(struct session *s);

/* An idle session that serves the job, or one being opened whose own job went
 * elsewhere; NULL: none. */
struct session *path_find_idle(struct path *p, const struct job *j);
struct session *path_find_unbound(struct path *p, const struct job *j);

/* Whether the process's limit allows one more. False: the path waits for it,
 * and is touched when it may look again. */
bool path_has_room(struct path *p);
void path_starves_no_more(struct path *p);
/* Opens one for the job, which has the permission. */
void path_open(struct path *p, struct job *j);

void path_close_unbound(struct path *p);
/* Of all paths. */
void path_conns_quit_idle(void);

/* ---- place.c ------------------------------------------------------------ */

/* The job opens no connection any more. */
void place_drop(struct job *j);
/* A job that waits and may not yet open a connection may do so, until open_us
 * (0: any time). */
void place_give(struct path *p, uint64_t open_us);
/* The job goes over a connection that there is: another one may open. */
void place_pass(struct job *j);
/* Whether a job of the path may open one; the first that waits may, then. */
bool place_find(struct path *p, struct job *first);

/* ---- patience.c --------------------------------------------------------- */

void patience_init(void);
void patience_fini(void);
/* A job does not begin at once: it is looked at again. */
void patience_begin(void);

/* ---- path_tell.c -------------------------------------------------------- */

/* Tells qmgr when the connections have become more or less, or one is open. */
void path_tell(struct path *p);
/* All of them count at another path from now on. */
void path_tell_none(struct path *p);

#endif
