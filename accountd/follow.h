/*
 * accountd as a reader of the journal: in slices, each one a transaction of
 * what follows from its events together with how far they were read.
 */
#ifndef ACCOUNTD_FOLLOW_H
#define ACCOUNTD_FOLLOW_H

#include "peer.h"

void follow_start(void);
void follow_stop(void);

/* Messages of qmgr, and a new one. */
void follow_on_file(struct peer *p, uint32_t id, const void *m);
void follow_on_durable(struct peer *p, uint32_t id, const void *m);
void follow_qmgr_up(void);

#endif
