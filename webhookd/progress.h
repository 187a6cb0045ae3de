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

/* Sets an endpoint's place and health as saved. False: nothing was. */
bool progress_load(struct hook *h) MUST_CHECK;

/* accountd has told of all endpoints: what is saved of others is let go. */
void progress_loaded(void);

/* Something was taken: save within a second. */
void progress_changed(void);

/* Saves now; done is called when that is durable (or failed). */
void progress_finish(void (*done)(void));

/* Whether a saved file was there but not whole. */
bool progress_is_damaged(void);

#endif
