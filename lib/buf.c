#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attr.h"

static void *
check(void *p)
{
	if (p == NULL) {
		static const char text[] = "fatal: out of memory\n";

		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		abort();
	}
	return p;
}

void *
mem_alloc(size_t n)
{
	return check(calloc(1, n != 0 ? n : 1));
}

void *
mem_resize(void *p, size_t n)
{
	return check(realloc(p, n != 0 ? n : 1));
}

void *
mem_dup(const void *p, size_t n)
{
	void *copy = check(malloc(n != 0 ? n : 1));

	if (n != 0) {
		memcpy(copy, p, n);
	}
	return copy;
}

char *
mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s) + 1);
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void
buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap < 256 ? 256 : b->cap;

	bug_on(n > SIZE_MAX / 4 - b->len);
	while (cap - b->len < n) {
		cap *= 2;
	}
	b->p = mem_resize(b->p, cap);
	b->cap = cap;
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	(void)buf_reserve(b, 256);
	room = b->cap - b->len;
	va_start(ap, fmt);
	n = vsnprintf((char *)b->p + b->len, room, fmt, ap);
	va_end(ap);
	bug_on(n < 0);
	if ((size_t)n >= room) {
		(void)buf_reserve(b, (size_t)n + 1);
		va_start(ap, fmt);
		(void)vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void
buf_zero(struct buf *b, size_t n)
{
	memset(buf_reserve(b, n), 0, n);
	b->len += n;
}

void
buf_drop(struct buf *b, size_t n)
{
	bug_on(n > b->len);
	b->len -= n;
	if (b->len != 0 && n != 0) {
		memmove(b->p, b->p + n, b->len);
	}
}

void
buf_clear(struct buf *b, size_t keep)
{
	b->len = 0;
	if (b->cap > keep) {
		buf_fini(b);
	}
}

struct str
buf_str(const struct buf *b)
{
	return (struct str){ (const char *)b->p, b->len };
}

void
buf_move(struct buf *to, struct buf *from)
{
	bug_on(to->len != 0);
	buf_fini(to);
	*to = *from;
	*from = (struct buf){ 0 };
}
