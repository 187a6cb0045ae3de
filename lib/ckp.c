#include "ckp.h"

#include <errno.h>
#include <stdio.h>

/* clang-format off */
#define CKP_BEGIN(name, number)                                                \
	static const struct rec_field *fields_##name(void)                     \
	{                                                                      \
		typedef struct ckp_##name self __attribute__((unused));        \
		static const struct rec_field f[] = {
#define CKP_END(name)                                                          \
			{ .type = REC_T_END }                                  \
		};                                                             \
		return f;                                                      \
	}
#include "rec_table.h"
#include "ckp.def"
#include "rec_undef.h"
#undef CKP_BEGIN
#undef CKP_END
/* clang-format on */

static const struct rec_field *
fields_of(unsigned type, size_t *size)
{
	switch (type) {
#define REC_U8(f)
#define REC_U16(f)
#define REC_U32(f)
#define REC_U64(f)
#define REC_UUID(f)
#define REC_STR(f, max)
#define REC_BLOB(f, max)
#define CKP_BEGIN(name, number)                                                \
	case CKP_##name:                                                       \
		*size = sizeof(struct ckp_##name);                             \
		return fields_##name();
#define CKP_END(name)
#include "ckp.def"
#include "rec_undef.h"
#undef CKP_BEGIN
#undef CKP_END
	}
	return NULL;
}

void
ckp_path(uint32_t number, char *dst)
{
	(void)snprintf(dst, CKP_PATH_SIZE, "ckp/%08x.ckp", number);
}

void
ckp_encode(struct buf *out, enum ckp_type type, const void *rec)
{
	size_t size;

	bug_on(rec_encode(out, fields_of(type, &size), rec) < 0);
}

int
ckp_decode(unsigned type, struct str stored, void *rec)
{
	size_t size = 0;
	const struct rec_field *f = fields_of(type, &size);

	bug_on(size > CKP_STRUCT_MAX);
	if (f == NULL) {
		return -ENOENT;
	}
	return rec_decode(f, REC_GROWABLE, stored.p, stored.len, rec, size);
}
