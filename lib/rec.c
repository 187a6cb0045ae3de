#include "rec.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define STRUCT_MAX 4096

static size_t
int_size(enum rec_type t)
{
	switch (t) {
	case REC_T_U8:
		return 1;
	case REC_T_U16:
		return 2;
	case REC_T_U32:
		return 4;
	case REC_T_U64:
		return 8;
	case REC_T_UUID:
		return sizeof(struct uuid);
	case REC_T_END:
	case REC_T_STR:
	case REC_T_SECRET:
	case REC_T_BLOB:
		break;
	}
	return 0;
}

int
rec_encode(struct buf *out, const struct rec_field *fields, const void *rec)
{
	size_t before = out->len;

	for (const struct rec_field *f = fields; f->type != REC_T_END; f++) {
		const uint8_t *at = (const uint8_t *)rec + f->offset;
		size_t n = int_size(f->type);
		struct str s;

		if (n != 0) {
			buf_add(out, at, n); /* this machine is little-endian */
			continue;
		}
		memcpy(&s, at, sizeof(s));
		if (s.len > f->max) {
			out->len = before;
			return -EMSGSIZE;
		}
		if (f->type == REC_T_BLOB) {
			buf_u32(out, (uint32_t)s.len);
		} else {
			buf_u16(out, (uint16_t)s.len);
		}
		buf_add(out, s.p, s.len);
	}
	return 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "stored and sent integers are little-endian");

struct cursor {
	const uint8_t *p;
	size_t left;
};

static bool
take(struct cursor *c, void *dst, size_t n)
{
	if (c->left < n) {
		return false;
	}
	memcpy(dst, c->p, n);
	c->p += n;
	c->left -= n;
	return true;
}

static bool
decode_text(struct cursor *c, const struct rec_field *f, struct str *s)
{
	uint32_t len = 0;

	if (!take(c, &len, f->type == REC_T_BLOB ? 4 : 2) || len > f->max ||
	    len > c->left) {
		return false;
	}
	*s = (struct str){ (const char *)c->p, len };
	c->p += len;
	c->left -= len;
	return true;
}

int
rec_decode(const struct rec_field *fields, enum rec_mode mode, const void *p,
    size_t len, void *rec, size_t size)
{
	uint8_t tmp[STRUCT_MAX];
	struct cursor c = { p, len };

	bug_on(size > sizeof(tmp));
	memset(tmp, 0, size);
	for (const struct rec_field *f = fields; f->type != REC_T_END; f++) {
		size_t n = int_size(f->type);
		struct str s;

		if (c.left == 0 && mode == REC_GROWABLE) {
			break;
		}
		if (n != 0) {
			if (!take(&c, tmp + f->offset, n)) {
				return -EBADMSG;
			}
			continue;
		}
		if (!decode_text(&c, f, &s)) {
			return -EBADMSG;
		}
		memcpy(tmp + f->offset, &s, sizeof(s));
	}
	if (c.left != 0 && mode == REC_EXACT) {
		return -EBADMSG;
	}
	memcpy(rec, tmp, size);
	return 0;
}
