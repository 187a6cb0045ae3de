/*
 * The one reader at the journal's end: it gives new events to all endpoints
 * that have kept up. Those that lag read for themselves (sender.h).
 */
#ifndef WEBHOOKD_TAIL_H
#define WEBHOOKD_TAIL_H

#include "attr.h"
#include "ring.h"

/* Begins at the place; called once. */
void tail_start(struct journal_place place);
void tail_stop(void);

/* More is durable, or a file came. */
void tail_changed(void);

/* Everything before was given to the endpoints that are live. after 0: not
 * started. */
struct journal_place tail_place(void);

#endif
