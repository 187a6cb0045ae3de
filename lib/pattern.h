/*
 * Regular expressions that operators write and strangers' texts are compared
 * with. What could take time or memory without bound is refused before it is
 * compiled.
 */
#ifndef LIB_PATTERN_H
#define LIB_PATTERN_H

#include <regex.h>

#include "attr.h"
#include "buf.h"

/* Places of a pattern with all its repetitions written out. */
#define PATTERN_SIZE_MAX 10000

/*
 * Compiles a POSIX extended regular expression without regard to case; re is
 * the caller's, to be freed by regfree. flags: 0 or REG_NOSUB. Returns 0, or
 * -EINVAL with the fault as a clause in why and *re unset: no such expression,
 * a back-reference (its time is exponential), or repetitions inside each other
 * that make more than PATTERN_SIZE_MAX of it.
 */
int pattern_compile(
    regex_t *re, const char *pattern, int flags, struct buf *why) MUST_CHECK;

#endif
