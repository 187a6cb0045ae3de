/*
 * Header-like text: fields in blocks parted by empty lines, as in a message's
 * header, message/delivery-status and message/feedback-report. Lines end in
 * LF. Tolerant: what is no field is stepped over.
 */
#ifndef BOUNCER_FIELDS_H
#define BOUNCER_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

/* A value is cut beyond, bytes. */
#define FIELD_VALUE_MAX 4096

enum field_step { FIELD_END, FIELD_BLANK, FIELD_JUNK, FIELD_FOUND };

struct field {
	struct str name;
	struct str value;  /* in folded's memory, or in the text */
	struct buf folded; /* zeroed before the first, freed by fields_fini */
};

/*
 * Takes the next line or folded field off *rest. FIELD_FOUND: *f is filled,
 * runs of white space in the value are one blank.
 */
enum field_step fields_next(struct str *rest, struct field *f);
void fields_fini(struct field *f);

bool field_is(const struct field *f, const char *name);

/* Copies the value of the first field of that name in a header, cut to fit;
 * dst is "" and the result false when there is none. */
bool fields_get(struct str header, const char *name, char *dst, size_t size);

/* Has the header a field of that name? */
bool fields_has(struct str header, const char *name);

#endif
