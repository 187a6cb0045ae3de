/*
 * A reference to text that somebody else owns, and the small operations on
 * text that daemons share. Text from outside is bytes: it may hold NUL.
 */
#ifndef LIB_STR_H
#define LIB_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

struct str {
	const char *p; /* not terminated by NUL; NULL only when len is 0 */
	size_t len;    /* bytes */
};

/* A reference to a string literal. */
#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })

/* For printf's %.*s: STR_ARG(s) gives length and pointer. */
#define STR_ARG(s) (int)(s).len, (s).p != NULL ? (s).p : ""

/* A reference to a C string; NULL counts as empty. */
struct str str_of(const char *s);

bool str_eq(struct str a, struct str b);
bool str_eq_case(struct str a, struct str b); /* ASCII case folded */
bool str_is(struct str a, const char *b);
bool str_starts(struct str a, const char *prefix);

/*
 * Takes the part up to the next sep (not included) off the front of *rest.
 * Returns false when *rest is exhausted.
 */
bool str_split(struct str *rest, char sep, struct str *part);

/* Without white space (RFC 5234 WSP, CR, LF) at both ends. */
struct str str_trim(struct str s);

/* Copies to a C string of size bytes (>= 1), cut if need be. */
void str_copy(char *dst, size_t size, struct str s);

/* A fresh C string; the caller frees it. */
char *str_dup(struct str s);

/*
 * Decimal text to a number. Returns 0; -EINVAL when it is not all digits or
 * empty; -ERANGE above max.
 */
int str_u64(struct str s, uint64_t max, uint64_t *out) MUST_CHECK;

/*
 * Copies untrusted text so that a line of log or terminal output stays one
 * line: bytes outside printable ASCII become '?'. dst has size bytes, always
 * terminated. Returns dst.
 */
char *str_safe(char *dst, size_t size, struct str s);

/* Letters to change, add or drop between two names (Levenshtein), for "did you
 * mean"; UINT_MAX when one has more than 64 bytes. */
unsigned str_distance(const char *a, const char *b);

/* Hash of bytes for tables (not for anything an attacker may choose freely
 * without the seed of map.h). */
uint64_t str_hash(struct str s, uint64_t seed);

/* n bytes as 2n lower-case hex digits and a NUL. */
void str_hex(char *dst, const void *p, size_t n);
/* 2n hex digits to n bytes; -EINVAL when they are not. */
int str_unhex(void *dst, size_t n, struct str s) MUST_CHECK;

#endif
