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

/* Characters, brackets, groups and operators of an expression whose
 * repetitions are written out; the most costly one takes some 20 MB. */
#define PATTERN_SIZE_MAX 1000u

/* Groups in groups. */
#define PATTERN_DEPTH_MAX 50u

/*
 * Compiles a POSIX extended regular expression without regard to case; re is
 * the caller's, to be freed by regfree. flags: 0 or REG_NOSUB. Returns 0, or
 * -EINVAL with the fault as a clause in why and *re unset: no such expression,
 * a back-reference (its time is exponential), a repetition of what may be
 * nothing, as (a*)* is (regcomp's time is), more than PATTERN_SIZE_MAX, or
 * groups deeper than PATTERN_DEPTH_MAX.
 */
int pattern_compile(
    regex_t *re, const char *pattern, int flags, struct buf *why) MUST_CHECK;

#endif
