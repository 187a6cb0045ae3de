/*
 * bounce.cf(5): the administrator's rules for replies and reports, which go
 * before the built-in ones. deliver and bouncer read it before they are
 * confined; a reload starts them anew.
 */
#ifndef LIB_BOUNCE_CF_H
#define LIB_BOUNCE_CF_H

#include "attr.h"
#include "buf.h"
#include "reply_class.h"
#include "str.h"

#define BOUNCE_CF_RULES_MAX 1000u /* each costs time with every reply */
#define BOUNCE_CF_TEXT_MAX 512u	  /* bytes of a text or regular expression */

/*
 * Reads DIR/bounce.cf; without that file there are no rules. Returns 0, *out
 * is freed by reply_rules_free; or -errno (-EINVAL for a mistake in the file)
 * with one line in *error: file, line, what is wrong, what would be right.
 */
int bounce_cf_load(
    const char *dir, struct reply_rules **out, struct buf *error) MUST_CHECK;

/* Whether bounce_cf_load would read it: 0, or -errno as there. */
int bounce_cf_check(const char *dir, struct buf *error) MUST_CHECK;

/* The same for a text; path is for messages. What was read before a mistake
 * stays in *rules. */
int bounce_cf_parse(const char *path, struct str text,
    struct reply_rules *rules, struct buf *error) MUST_CHECK;

/* Appends a rule as a line that bounce_cf_parse reads. */
void bounce_cf_print(const struct reply_rule *rule, struct buf *out);

/* A phase by its name in the file ("rcpt"); -EINVAL when there is none. */
int bounce_cf_phase(struct str name, uint8_t *out) MUST_CHECK;

#endif
