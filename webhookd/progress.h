/*
 * Keeps the cursors: read once, written at most a second after an endpoint
 * took events.
 */
#ifndef WEBHOOKD_PROGRESS_H
#define WEBHOOKD_PROGRESS_H

#include <stdbool.h>

#include "attr.h"
#include "hook.h"

/* Reads the file of the working directory. */
void progress_start(void);
void progress_stop(void);

/* Sets an endpoint's place, health and dead letters as saved. False: it has no
 * place, and begins at begin_us. */
bool progress_load(struct hook *h) MUST_CHECK;

/* accountd has told of all endpoints: what is saved of others is let go. */
void progress_loaded(void);

/* Something was taken: save within a second. */
void progress_changed(void);

/* Who waits until what is true now is durable; the caller owns it. */
struct progress_wait {
	void (*fn)(void *arg, int status); /* 0, or -errno: it is not saved */
	void *arg;
	/* private */
	struct progress_wait *next;
	bool is_waiting;
};

/* Saves at once; w->fn is called once, later, and w may be freed in it. */
void progress_wait(struct progress_wait *w);
/* No call any more; one that does not wait is left alone. */
void progress_wait_cancel(struct progress_wait *w);

/* Saves now; done is called when that is durable (or failed). */
void progress_finish(void (*done)(void));

/* Whether a saved file was there but not whole. */
bool progress_is_damaged(void);

#endif
