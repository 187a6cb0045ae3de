#include "rec.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define STRUCT_MAX 4096

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "stored and sent integers are little-endian");

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

/* Each size by itself: a copy of a known size is one instruction. */
static inline void
copy_int(void *dst, const void *src, size_t n)
{
	switch (n) {
	case 1:
		memcpy(dst, src, 1);
		break;
	case 2:
		memcpy(dst, src, 2);
		break;
	case 4:
		memcpy(dst, src, 4);
		break;
	case 8:
		memcpy(dst, src, 8);
		break;
	default:
		memcpy(dst, src, sizeof(struct uuid));
	}
}

static struct str
text_at(const void *rec, const struct rec_field *f)
{
	struct str s;

	memcpy(&s, (const uint8_t *)rec + f->offset, sizeof(s));
	return s;
}

static size_t
length_size(const struct rec_field *f)
{
	return f->type == REC_T_BLOB ? 4 : 2;
}

/* Of the wire form; -EMSGSIZE: a text is too long. */
static int
wire_size(const struct rec_field *fields, const void *rec, size_t *size)
{
	*size = 0;
	for (const struct rec_field *f = fields; f->type != REC_T_END; f++) {
		size_t n = int_size(f->type);

		if (n == 0) {
			struct str s = text_at(rec, f);

			if (s.len > f->max) {
				return -EMSGSIZE;
			}
			n = length_size(f) + s.len;
		}
		*size += n;
	}
	return 0;
}

int
rec_encode(struct buf *out, const struct rec_field *fields, const void *rec)
{
	size_t size;
	uint8_t *to;
	int r = wire_size(fields, rec, &size);

	if (r < 0 || size == 0) {
		return r;
	}
	to = buf_reserve(out, size);
	for (const struct rec_field *f = fields; f->type != REC_T_END; f++) {
		size_t n = int_size(f->type);
		struct str s;

		if (n != 0) {
			copy_int(to, (const uint8_t *)rec + f->offset, n);
			to += n;
			continue;
		}
		s = text_at(rec, f);
		n = length_size(f);
		copy_int(to, &(uint32_t){ (uint32_t)s.len }, n);
		to += n;
		if (s.len != 0) {
			memcpy(to, s.p, s.len);
			to += s.len;
		}
	}
	out->len += size;
	return 0;
}

struct cursor {
	const uint8_t *p;
	size_t left;
};

static inline bool
take_int(struct cursor *c, void *dst, size_t n)
{
	if (c->left < n) {
		return false;
	}
	copy_int(dst, c->p, n);
	c->p += n;
	c->left -= n;
	return true;
}

static bool
decode_text(struct cursor *c, const struct rec_field *f, struct str *s)
{
	uint32_t len = 0;

	if (!take_int(c, &len, length_size(f)) || len > f->max ||
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
			if (!take_int(&c, tmp + f->offset, n)) {
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
