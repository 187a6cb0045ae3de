/*
 * Looks for a text in many bytes, fast: what is not in the raw bytes of some
 * records need not be looked for in their fields.
 */
#ifndef TOOLS_PBLOG_NEEDLE_H
#define TOOLS_PBLOG_NEEDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "str.h"

/* A text prepared; it stays the caller's. */
struct needle {
	struct str text; /* empty: it is everywhere */
	size_t at[2];	 /* two of its bytes that are looked for first, */
	uint8_t byte[2]; /* in lower case, */
	uint8_t fold[2]; /* and what makes a byte lower case */
};

/* text NULL counts as empty. */
void needle_make(struct needle *n, const char *text);

/* Whether the text is in s; ASCII case does not matter. */
bool needle_is_in(const struct needle *n, struct str s);

#endif
