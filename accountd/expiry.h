/*
 * Moments as administrators give them: "30d" from now, or "2025-12-31", or
 * "2025-12-31T18:00:00Z", both UTC.
 */
#ifndef ACCOUNTD_EXPIRY_H
#define ACCOUNTD_EXPIRY_H

#include <stdint.h>

#include "attr.h"
#include "str.h"

/* A span alone, "30d", microseconds. Returns 0, or -EINVAL for another form. */
int expiry_span(struct str s, uint64_t *out) MUST_CHECK;

/* Returns 0; -EINVAL for another form; -ERANGE when it is not after now. */
int expiry_parse(struct str s, uint64_t now_us, uint64_t *out) MUST_CHECK;

#endif
