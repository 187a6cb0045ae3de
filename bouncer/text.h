/* Looking for words in foreign text. */
#ifndef BOUNCER_TEXT_H
#define BOUNCER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "str.h"

/* Appends s in lower case (ASCII), each run of white space as one blank, so
 * that phrases are found across line ends. */
void text_fold(struct str s, struct buf *out);

/* Takes a line, without its LF, off the front of *rest. */
struct str text_line(struct str *rest);

/* Without the lines at the beginning that have nothing but blanks. */
struct str text_skip_blank(struct str s);

/* needle has no capitals; so must folded. */
bool text_has(struct str folded, const char *needle);

/* Any of a list that ends with NULL. */
bool text_has_any(struct str folded, const char *const *needles);

/* How many of the list occur. */
unsigned text_count(struct str folded, const char *const *needles);

/* Begins with (case does not matter). */
bool text_begins(struct str s, const char *prefix);

/* Does the line, less what is not a letter, begin with any of the list (case
 * does not matter)? */
bool text_begins_any(struct str line, const char *const *prefixes);

#endif
