/*
 * States of paths and sites that outlive a restart (path_state events).
 */
#ifndef QMGR_PATHS_H
#define QMGR_PATHS_H

#include "event.h"

struct qmgr;

/* Recovery: a suspension that has not ended yet. */
void paths_restore(struct qmgr *q, const struct event_path_state *e);

#endif
