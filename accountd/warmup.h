/*
 * The warm-up of a source address: how many recipients it may try at each
 * provider on a day, and which days count. Pure functions.
 */
#ifndef ACCOUNTD_WARMUP_H
#define ACCOUNTD_WARMUP_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

#define WARMUP_DAYS 100

struct warmup_plan {
	uint32_t ceiling[WARMUP_DAYS]; /* of each day, rising */
	unsigned n;
};

/* "50, 100, 200". Returns 0, or -EINVAL with one line in *error. */
int warmup_parse(
    struct str text, struct warmup_plan *out, struct buf *error) MUST_CHECK;

struct warmup_rules {
	uint32_t use_percent;	   /* of the ceiling, at some provider */
	uint32_t volume;	   /* tries below which there is no rate */
	uint32_t deferral_percent; /* most of the tries */
	uint32_t complaint_rate;   /* most of ten thousand deliveries */
};

/* What became of a day's mail to one provider. */
struct warmup_count {
	struct str provider;
	uint32_t tried;
	uint32_t delivered;
	uint32_t deferred; /* put off or refused for the address's sake */
	uint32_t complaints;
};

/* Which day of the plan it is. */
struct warmup_day {
	uint32_t step;	   /* from 1; behind the plan's end: warm */
	uint32_t step_day; /* since 1970 */
	uint32_t held;	   /* days in a row that did not count */
};

/* Recipients for one provider today; 0: no limit, it is warm. */
uint32_t warmup_ceiling(
    const struct warmup_plan *p, const struct warmup_day *d);

/*
 * Ends the day d->step_day, whose counts these are, and begins today's, which
 * is later. What became of it is appended to *verdict, one line of at most
 * 200 bytes.
 */
void warmup_turn(const struct warmup_plan *p, const struct warmup_rules *r,
    const struct warmup_count *counts, size_t n, uint32_t today,
    struct warmup_day *d, struct buf *verdict);

/* The first day without a limit if each one counts, since 1970. */
uint32_t warmup_end(const struct warmup_plan *p, const struct warmup_day *d);

#endif
