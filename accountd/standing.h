/*
 * How accounts stand: reputation, the quota that follows from it, and what
 * they are warned about.
 */
#ifndef ACCOUNTD_STANDING_H
#define ACCOUNTD_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "peer.h"
#include "reputation.h"
#include "tallies.h"

/* Reads the parameters; a mistake in them is fatal(). */
void standing_start(void);
void standing_stop(void);

const struct reputation_rules *standing_rules(void);

/* In thousandths. */
int64_t standing_score(uint32_t id);

/* Recipients an hour; 0: no limit. is_by_hand may be NULL. */
uint32_t standing_quota(const struct account *a, bool *is_by_hand);

/* Judges those whose tallies have changed, before they and the alerts are
 * written. */
void standing_judge_changed(void);

/* After they were written: tells qmgr of other quotas. arg is not used. */
void standing_tell_quota(struct tallied *x, void *arg);

/* Judges one after its rules have changed, and writes it. */
void standing_judge(uint32_t id);

/* queue_age: qmgr's word about an account's oldest message. */
void standing_on_queue_age(struct peer *p, uint32_t id, const void *m);

#endif
