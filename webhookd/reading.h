/*
 * Where an endpoint's events begin, reading on where it lags, and going back:
 * to a time, to a record, or to dead letters.
 */
#ifndef WEBHOOKD_READING_H
#define WEBHOOKD_READING_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "hook.h"

/* An endpoint is new: takes what was saved of it, or begins at begin_us. */
void reading_begin(struct hook *h);

/*
 * HOOK_NEW: goes back to the newest journal file that begins before the first
 * event wanted. It may have to be called again when a file came.
 */
void reading_locate(struct hook *h);

/*
 * Fills the ring of one that lags. False: come again in another turn of the
 * loop. Dead letters that are asked for come first, and the usual events
 * after the last of them was taken.
 */
bool reading_on(struct hook *h);

/* Sends again from a time on, or from a record on. */
void reading_replay_time(struct hook *h, uint64_t time_us);
void reading_replay_lsn(struct hook *h, uint64_t lsn);

/* Sends the dead letters again that are not being sent yet. Returns how many
 * events that are. */
uint64_t reading_redo(struct hook *h);
/* Dead letters at the ring's front were taken, or left out. */
void reading_redo_taken(struct hook *h, size_t events);
/* Those being sent are dead letters again; the usual events go on. */
void reading_redo_stop(struct hook *h);
/* Forgets all dead letters. Returns how many events they were. */
uint64_t reading_forget_dead(struct hook *h);

#endif
