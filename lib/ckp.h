/*
 * The records of ckp.def: structs and stored form. packetboat-spool(5) says
 * what they mean.
 */
#ifndef LIB_CKP_H
#define LIB_CKP_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "rec.h"

enum ckp_type {
#define CKP_BEGIN(name, number) CKP_##name = (number),
#define CKP_END(name)
#define REC_U8(f)
#define REC_U16(f)
#define REC_U32(f)
#define REC_U64(f)
#define REC_UUID(f)
#define REC_STR(f, max)
#define REC_BLOB(f, max)
#include "ckp.def"
#include "rec_undef.h"
#undef CKP_BEGIN
#undef CKP_END
};

/* clang-format off */
#define CKP_BEGIN(name, number) struct ckp_##name {
#define CKP_END(name)                                                          \
	}                                                                      \
	;
#include "rec_struct.h"
#include "ckp.def"
#include "rec_undef.h"
#undef CKP_BEGIN
#undef CKP_END
/* clang-format on */

/* The segment id of a checkpoint's file: writer 254. */
static inline uint64_t
ckp_segid(uint32_t number)
{
	return 0xfeULL << 56 | number;
}

/* "ckp/<number, 8 hex digits>.ckp" */
#define CKP_PATH_SIZE 24
void ckp_path(uint32_t number, char *dst);

/* Appends the stored form; the record fits its limits. */
void ckp_encode(struct buf *out, enum ckp_type type, const void *rec);
/* 0; -ENOENT: no such record; -EBADMSG. rec has room for any. */
int ckp_decode(unsigned type, struct str stored, void *rec) MUST_CHECK;
#define CKP_STRUCT_MAX 512

#endif
