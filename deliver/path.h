/*
 * A path: jobs of one site and source address, which share connections. Its
 * jobs wait in a list; an idle connection takes the next one at once, else a
 * new one is opened, up to the path's limit and that of the process.
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

struct path {
	TAILQ_ENTRY(path) starving; /* waits for the process's limit */
	TAILQ_ENTRY(path) dirty;    /* something changed in this turn */
	bool is_starving;
	bool is_dirty;
	uint32_t id;
	uint64_t key; /* where it is found; id, or beyond all numbers */
	/* qmgr's newest word; 0: any number, any age. */
	unsigned limit;		/* of connections, at least 1 */
	uint32_t conn_messages; /* transactions of a connection */
	uint64_t conn_us;	/* age of a connection */
	unsigned n_sessions;
	unsigned n_jobs; /* in any state */
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

/* Sessions tell what they become. */
void path_session_idle(struct session *s);
void path_session_busy(struct session *s);
void path_session_gone(struct session *s);

/* Ends all idle connections, and those being opened for nobody: nothing new
 * will come. */
void paths_drain(void);

unsigned paths_sessions(void); /* connections of the process */

#endif
