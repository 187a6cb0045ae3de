/*
 * packetboat.cf: Postfix's syntax. "name = value"; a line that begins with
 * white space continues the one before; a line whose first character is # is
 * a comment; $name and ${name} stand for another parameter's value.
 */
#ifndef LIB_CONF_H
#define LIB_CONF_H

#include "attr.h"
#include "buf.h"
#include "param.h"

/* DIR: dir, or if NULL $PACKETBOAT_CONFIG, or else /etc/packetboat. */
const char *conf_directory(const char *dir);

/*
 * Reads DIR/packetboat.cf (dir NULL: $PACKETBOAT_CONFIG, else
 * /etc/packetboat). Returns 0 and a configuration that conf_free frees; or
 * -errno (-EINVAL for a mistake in the file), with one line for the
 * administrator in *error: file, line, what, what to do. Cross-checks
 * between parameters are made here too (conf_check).
 */
int conf_load(const char *dir, struct conf **out, struct buf *error) MUST_CHECK;
void conf_free(struct conf **c);

/* The value of a parameter as text: normal form of numbers and times. */
void conf_print(const struct conf *c, const struct param *p, struct buf *out);
/* As the administrator wrote it ($ expanded), or the default. */
const char *conf_text(const struct conf *c, const struct param *p);
/* Whether packetboat.cf sets it. */
bool conf_is_set(const struct conf *c, const struct param *p);

/* Words of a LIST: calls fn for each until it returns non-zero; returns that.
 */
int conf_list_each(const char *list,
    int (*fn)(void *arg, const char *word, size_t len), void *arg);

#endif
