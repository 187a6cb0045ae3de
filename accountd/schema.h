/*
 * The records of schema.def as structs, and their stored form.
 */
#ifndef ACCOUNTD_SCHEMA_H
#define ACCOUNTD_SCHEMA_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "rec.h"

/* clang-format off */
enum schema_kind {
#define SCHEMA_BEGIN(name, version) SCHEMA_##name,
#define SCHEMA_END(name)
#define REC_NONE
#define REC_U8(f)
#define REC_U16(f)
#define REC_U32(f)
#define REC_U64(f)
#define REC_UUID(f)
#define REC_STR(f, max)
#define REC_SECRET(f, max)
#define REC_BLOB(f, max)
#include "schema.def"
#include "rec_undef.h"
#undef SCHEMA_BEGIN
#undef SCHEMA_END
	SCHEMA_KINDS,
};

#define SCHEMA_BEGIN(name, version) struct schema_##name {
#define SCHEMA_END(name)                                                       \
	}                                                                      \
	;
#include "rec_struct.h"
#include "schema.def"
#include "rec_undef.h"
#undef SCHEMA_BEGIN
#undef SCHEMA_END
/* clang-format on */

enum domain_state {
	DOMAIN_PENDING = 0,
	DOMAIN_VERIFIED = 1,
	DOMAIN_FAILED = 2, /* was verified */
};

/* Where the change of a domain's DKIM keys is: what its other keys are. */
enum rotation {
	ROTATION_NONE = 0,
	ROTATION_PUBLISH = 1, /* the next ones, not seen in the DNS yet */
	ROTATION_WAIT = 2,    /* the next ones, seen since rotation_us */
	ROTATION_KEEP = 3,    /* the last ones, to be left published */
	ROTATION_REMOVE = 4,  /* deleted ones; nobody needs their records */
	ROTATION_CANCEL = 5,  /* the next ones, which signd is to delete */
};

enum source_state {
	SOURCE_PENDING = 0, /* its name was not seen yet */
	SOURCE_GOOD = 1,
	SOURCE_WAITING = 2, /* a change was seen; time must pass */
	SOURCE_BAD = 3,	    /* was good */
};

/* A place for any record. */
#define SCHEMA_STRUCT_MAX 1024

/* The kind's name, for messages. */
const char *schema_name(enum schema_kind kind);

/* Appends the stored form. Returns 0, or -EMSGSIZE when a text is longer than
 * its row allows. */
int schema_encode(
    struct buf *out, enum schema_kind kind, const void *rec) MUST_CHECK;

/*
 * Fills the struct; its strings point into p. Returns 0; -EBADMSG when it is
 * damaged; -EPROTO when a newer version of this software wrote it.
 */
int schema_decode(
    enum schema_kind kind, struct str stored, void *rec) MUST_CHECK;

#endif
