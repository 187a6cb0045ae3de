/*
 * Times as people type them.
 */
#ifndef LIB_TIME_PARSE_H
#define LIB_TIME_PARSE_H

#include <stdint.h>

#include "attr.h"

/*
 * "90s" "10m" "2h" "3d" "1w": so long before now. "2026-11-22",
 * "2026-11-22T10:00", "2026-11-22 10:00:05" (UTC, a Z behind is allowed),
 * "@1700000000". Returns 0 and microseconds since 1970; -EINVAL for anything
 * else. now_us is the time.
 */
int time_parse(const char *text, uint64_t now_us, uint64_t *out) MUST_CHECK;

#endif
