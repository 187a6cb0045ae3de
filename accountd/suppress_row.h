/*
 * A suppressed address as a row of a table: columns by their names, times as
 * text. What pbsuppress(1) exports and imports.
 */
#ifndef ACCOUNTD_SUPPRESS_ROW_H
#define ACCOUNTD_SUPPRESS_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "schema.h"
#include "str.h"

enum suppress_column {
	SUPPRESS_ADDRESS,
	SUPPRESS_SUB,
	SUPPRESS_REASON,
	SUPPRESS_DETAIL,
	SUPPRESS_CREATED,
	SUPPRESS_EXPIRES,
	SUPPRESS_LAST,
	SUPPRESS_COUNT,
	SUPPRESS_COLUMNS,
};

struct suppress_row {
	struct str address;
	struct str sub; /* empty: of the whole account */
	struct schema_suppression e;
};

/* Where each column is in a file's rows; -1: it has none. */
struct suppress_header {
	int at[SUPPRESS_COLUMNS];
};

/* A file without a header has one column. */
void suppress_header_none(struct suppress_header *h);
/*
 * From a first row: also with the names that Mandrill's exports have. False:
 * it is no header. Columns with other names are left out.
 */
bool suppress_header_parse(
    const struct str *fields, size_t n, struct suppress_header *h);

/*
 * Reads a row over *row, which has the values of columns that are missing or
 * empty. Strings point into the fields. Returns NULL, or what is wrong.
 */
const char *suppress_row_parse(const struct suppress_header *h,
    const struct str *fields, size_t n, struct suppress_row *row);

/* "2026-01-01T00:00:00.000001Z", without a fraction that is 0; "" for 0. */
#define SUPPRESS_TIME_SIZE 40
void suppress_time_print(uint64_t us, char *dst);
/* The same; also "2026-01-01", and a blank for the T. -EINVAL. */
int suppress_time_parse(struct str s, uint64_t *us) MUST_CHECK;

#endif
