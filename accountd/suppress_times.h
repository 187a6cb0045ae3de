/*
 * How long an address stays suppressed: longer each time.
 */
#ifndef ACCOUNTD_SUPPRESS_TIMES_H
#define ACCOUNTD_SUPPRESS_TIMES_H

#include <stdint.h>

#include "attr.h"
#include "suppression.h"

#define SUPPRESS_STEPS_MAX 16

struct suppress_steps {
	uint64_t us[SUPPRESS_STEPS_MAX]; /* 0: for ever */
	unsigned n;
};

struct suppress_times {
	struct suppress_steps of[SUPPRESSION_REASONS];
};

/* "7d 30d never". Returns 0, -EINVAL or -E2BIG. */
int suppress_steps_parse(
    const char *list, struct suppress_steps *out) MUST_CHECK;

/* When the nth event (from 1) of that reason at that time is forgotten; 0:
 * never. */
uint64_t suppress_until(const struct suppress_times *t,
    enum suppression_reason reason, uint32_t nth, uint64_t time_us);

#endif
