/*
 * Writes JSON text into a buffer, fast and always valid: what an event says
 * about a message comes from other people's servers. Bytes that are not UTF-8,
 * and NUL, become U+FFFD; control characters and the line separators of
 * JavaScript are escaped. Commas are put where they belong.
 */
#ifndef LIB_JSON_PUT_H
#define LIB_JSON_PUT_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

/* A text between quotes. */
void json_put_text(struct buf *b, struct str s);

/* Decimal digits. */
void json_put_u64(struct buf *b, uint64_t v);

/*
 * Members of the object that was opened last. name is our own: plain ASCII
 * that needs no escaping.
 */
void json_put_name(struct buf *b, const char *name);
void json_put_str(struct buf *b, const char *name, struct str s);
/* Above 2^63 - 1, which many readers cannot hold, it is written as a text. */
void json_put_num(struct buf *b, const char *name, uint64_t v);
void json_put_bool(struct buf *b, const char *name, bool v);
/* Microseconds since 1970 as RFC 3339 text in UTC. */
void json_put_time(struct buf *b, const char *name, uint64_t us);

/* The same where an empty text or 0 means not known: nothing is written. */
void json_put_str_known(struct buf *b, const char *name, struct str s);
void json_put_num_known(struct buf *b, const char *name, uint64_t v);
void json_put_time_known(struct buf *b, const char *name, uint64_t us);

/* Open a member's object or array, or an element; then close it. */
void json_put_open(struct buf *b, const char *name, char bracket);
void json_put_close(struct buf *b, char bracket);
/* A comma if the last byte ends a value. */
void json_put_comma(struct buf *b);

/*
 * A member whose value is JSON text of others: written in normal form when
 * it is an object of at most JSON_PUT_DEPTH levels, else left out.
 */
#define JSON_PUT_DEPTH 32
void json_put_object_text(struct buf *b, const char *name, struct str text);

/* "2026-11-22T09:47:01.123456Z"; dst has JSON_TIME_SIZE bytes. */
#define JSON_TIME_SIZE 32
void json_time(uint64_t us, char *dst);

#endif
