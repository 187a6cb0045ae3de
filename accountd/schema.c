#include "schema.h"

#include <errno.h>
#include <stddef.h>

/* clang-format off */
#define SCHEMA_BEGIN(name, version)                                            \
	static const struct rec_field *fields_##name(void)                     \
	{                                                                      \
		typedef struct schema_##name self;                             \
		static const struct rec_field f[] = {
#define SCHEMA_END(name)                                                       \
			{ .type = REC_T_END }                                  \
		};                                                             \
		return f;                                                      \
	}
#include "rec_table.h"
#include "schema.def"
#include "rec_undef.h"
#undef SCHEMA_BEGIN
#undef SCHEMA_END

static const struct desc {
	const char *name;
	uint8_t version;
	size_t size;
	const struct rec_field *(*fields)(void);
} descs[] = {
#define SCHEMA_BEGIN(name, version)                                            \
	{ #name, version, sizeof(struct schema_##name), fields_##name },
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
};
#define SCHEMA_BEGIN(name, version)                                            \
	_Static_assert(sizeof(struct schema_##name) <= SCHEMA_STRUCT_MAX,      \
	    "SCHEMA_STRUCT_MAX is the largest");
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
/* clang-format on */

const char *
schema_name(enum schema_kind kind)
{
	return descs[kind].name;
}

int
schema_encode(struct buf *out, enum schema_kind kind, const void *rec)
{
	size_t before = out->len;
	int r;

	buf_u8(out, descs[kind].version);
	r = rec_encode(out, descs[kind].fields(), rec);
	if (r < 0) {
		out->len = before;
	}
	return r;
}

int
schema_decode(enum schema_kind kind, struct str stored, void *rec)
{
	const struct desc *d = &descs[kind];

	if (stored.len == 0) {
		return -EBADMSG;
	}
	if ((uint8_t)stored.p[0] != d->version) {
		return -EPROTO;
	}
	return rec_decode(d->fields(), REC_GROWABLE, stored.p + 1,
	    stored.len - 1, rec, d->size);
}
