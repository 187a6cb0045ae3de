/*
 * Comma separated values (RFC 4180), read as they come. Lines end in CRLF or
 * LF; a field in quotes may hold commas, line ends and doubled quotes.
 */
#ifndef LIB_CSV_H
#define LIB_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

#define CSV_FIELDS_MAX 32
/* Of one row, bytes. */
#define CSV_ROW_MAX 16384

enum csv_state { CSV_PLAIN, CSV_QUOTED, CSV_QUOTE_IN_QUOTED, CSV_CR };

/* Zeroed before the first use. */
struct csv {
	struct buf row;
	size_t ends[CSV_FIELDS_MAX];
	size_t n; /* fields that have ended */
	enum csv_state state;
	bool was_quoted; /* the field that is read now */
	bool is_bad;
	size_t rows; /* given so far */
};

/*
 * A row; fields are valid until it returns. n 0: the row is malformed, too
 * long or has too many fields. Non-zero stops. Empty lines are no rows.
 */
typedef int csv_fn(void *arg, const struct str *fields, size_t n);

/* Returns 0, or what fn returned. */
int csv_feed(struct csv *c, struct str data, csv_fn *fn, void *arg) MUST_CHECK;
/* At the end: a last line without its end is a row. */
int csv_end(struct csv *c, csv_fn *fn, void *arg) MUST_CHECK;
void csv_fini(struct csv *c);

/* Appends a field, in quotes where that is needed. */
void csv_put(struct buf *out, struct str field);

#endif
