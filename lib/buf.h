/*
 * A growing byte buffer. Zero initialisation gives an empty one. Growing
 * never fails: without memory the process ends, so every size that input
 * decides is checked by the caller before.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "attr.h"
#include "str.h"

struct buf {
	uint8_t *p;
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
};

/* Frees the memory and leaves an empty buffer. */
void buf_fini(struct buf *b);

/* Makes room for n more bytes, which there is not. */
void buf_grow(struct buf *b, size_t n);

/* Room for n more bytes; returns where they go. len does not change. */
static inline uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	if (b->cap - b->len < n) {
		buf_grow(b, n);
	}
	return b->p + b->len;
}

/* Append bytes, a C string, formatted text, n zero bytes. */
static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n != 0) {
		memcpy(buf_reserve(b, n), p, n);
		b->len += n;
	}
}

void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_zero(struct buf *b, size_t n);

/* Append little-endian integers. */
static inline void
buf_u8(struct buf *b, uint8_t v)
{
	*buf_reserve(b, 1) = v;
	b->len++;
}

static inline void
buf_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_add(b, &v, sizeof(v));
}

static inline void
buf_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_add(b, &v, sizeof(v));
}

static inline void
buf_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_add(b, &v, sizeof(v));
}

/* Remove n bytes from the front (n <= len). */
void buf_drop(struct buf *b, size_t n);

/* len = 0; memory above keep bytes is given back. */
void buf_clear(struct buf *b, size_t keep);

/* The content as a string reference, valid until the next change. */
struct str buf_str(const struct buf *b);

/*
 * Moves the content of from to the empty buffer to; from is empty then.
 */
void buf_move(struct buf *to, struct buf *from);

/* Never-NULL allocation: the process ends when memory is gone. */
void *mem_alloc(size_t n);	     /* zeroed */
void *mem_resize(void *p, size_t n); /* as realloc */
void *mem_dup(const void *p, size_t n);
char *mem_strdup(const char *s);

#endif
