/*
 * When a request that failed is sent again. Pure functions.
 */
#ifndef WEBHOOKD_RETRY_H
#define WEBHOOKD_RETRY_H

#include <stdint.h>

#include "attr.h"
#include "str.h"

#define RETRY_STEPS_MAX 64

struct retry_schedule {
	uint64_t wait_us[RETRY_STEPS_MAX];
	unsigned n; /* at least 1 */
};

/*
 * Reads "10s 30s 1m": numbers with s m h d w (or nothing: seconds), parted
 * by blanks or commas. Returns 0; -EINVAL for anything else or none; -E2BIG
 * above RETRY_STEPS_MAX. *out is untouched on error.
 */
int retry_schedule_parse(
    const char *list, struct retry_schedule *out) MUST_CHECK;

/*
 * The waiting time after so many failures in a row (1 or more); the last step
 * repeats. It is changed by at most percent, as random (any 32 bits) decides.
 */
uint64_t retry_wait(const struct retry_schedule *s, unsigned failures,
    unsigned percent, uint32_t random);

/*
 * Reads the value of a Retry-After field (RFC 9110 section 10.2.3): seconds
 * or a date. now_s is the time, seconds since 1970. Returns 0 and the seconds
 * to wait (a date that has passed gives 0); -EINVAL when it is neither.
 */
int retry_after_parse(
    struct str value, uint64_t now_s, uint64_t *seconds) MUST_CHECK;

#endif
