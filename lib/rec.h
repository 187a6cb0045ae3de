/*
 * Records described by a table: the messages between processes (ipc.def) and
 * the events of the journal (event.def) are structs whose fields a table
 * names. One loop encodes, one decodes, one prints; no message has code of
 * its own.
 *
 * Wire form: the fields in order, little-endian, unaligned; text and blobs
 * with a length before (16 bits for REC_STR, 32 for REC_BLOB).
 */
#ifndef LIB_REC_H
#define LIB_REC_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"
#include "uuid.h"

enum rec_type {
	REC_T_END,
	REC_T_U8,
	REC_T_U16,
	REC_T_U32,
	REC_T_U64,
	REC_T_UUID,
	REC_T_STR,    /* struct str, text */
	REC_T_SECRET, /* struct str, wiped after sending, never printed */
	REC_T_BLOB,   /* struct str, bytes */
};

struct rec_field {
	const char *name;
	enum rec_type type;
	uint32_t offset; /* in the struct */
	uint32_t max;	 /* greatest length of text and blobs, bytes */
};

/*
 * Appends the record. Returns 0, or -EMSGSIZE when a text is longer than its
 * row allows (nothing is appended then).
 */
int rec_encode(struct buf *out, const struct rec_field *fields,
    const void *rec) MUST_CHECK;

enum rec_mode {
	REC_EXACT,    /* every field, nothing behind: messages */
	REC_GROWABLE, /* fields missing at the end are 0: stored records */
};

/*
 * Fills the struct. Strings point into p. Returns 0 or -EBADMSG; on error
 * the struct is untouched. size is the struct's size (at most 4096).
 */
int rec_decode(const struct rec_field *fields, enum rec_mode mode,
    const void *p, size_t len, void *rec, size_t size) MUST_CHECK;

#endif
