/*
 * What the files of the shaping.cf reader say to each other.
 */
#ifndef LIB_SHAPING_IMPL_H
#define LIB_SHAPING_IMPL_H

#include "shaping.h"

/*
 * Reads the value of "reply": /pattern/ [phase ...] action [, action ...].
 * Returns 0 and a rule for shaping_rule_free; -EINVAL with a sentence in
 * *why. Names of back-off sets are looked up by the caller.
 */
int shaping_rule_parse(
    struct str value, struct shaping_rule **out, struct buf *why) MUST_CHECK;
void shaping_rule_free(struct shaping_rule *r);

#endif
