/*
 * What the files about master's children share: the list, and what can be done
 * with one of them. child.c has the life of one process, channels.c what
 * connects them, phases.c how all of them start, stop and are replaced.
 */
#ifndef MASTER_CHILD_H
#define MASTER_CHILD_H

#include "master.h"

enum child_state {
	CHILD_STARTING,
	CHILD_READY,
	CHILD_DRAINING,
	CHILD_WAITING, /* dead; the timer starts it again */
};

struct child {
	struct child *next;
	const struct service_row *row;
	unsigned index;
	enum child_state state;
	pid_t pid;
	struct peer *peer;	  /* control channel; NULL when closed */
	struct loop_timer *timer; /* restart or kill */
	uint64_t started_us;
	uint64_t backoff_us;
	unsigned restarts;
	bool is_successor_due; /* a reload replaces it when it has ended */
};

/* All of them, in the order in which they were made. */
extern struct child *children;

/* ---- child.c ------------------------------------------------------------ */

/* A child that is not started yet, at the end of the list. */
struct child *child_new(const struct service_row *row, unsigned index);
/* Starts its process; the next thing it needs is channels_introduce. */
void child_spawn(struct child *c);
/* Tells it to end its work; one without a process is removed. */
void child_drain(struct child *c);
/* Frees it; its process has ended. */
void child_remove(struct child *c);

/* ---- channels.c --------------------------------------------------------- */

/* Gives both a new channel to each other. */
void channels_connect(struct child *a, struct child *b);
/*
 * Gives a new child its channels and listeners, then tells it to begin. Who is
 * draining still needs the others: deliver to report, smtpd for its sessions.
 */
void channels_introduce(struct child *c);
/* What is not about another child: listeners, keys; then: begin. */
void channels_begin(struct child *c);

/* ---- phases.c ----------------------------------------------------------- */

/* All are ready, or one has ended: the next step of what goes on. */
void phases_ready(void);
void phases_ended(void);
bool phases_is_stopping(void);
/*
 * Is c, which has no process, started in spite of the stop? The queue is, once,
 * before its turn to end: deliver has results that only it can keep.
 */
bool phases_starts_again(const struct child *c);

#endif
