#include "str.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "buf.h"

struct str
str_of(const char *s)
{
	return s != NULL ? (struct str){ s, strlen(s) } : (struct str){ 0 };
}

bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
str_eq_case(struct str a, struct str b)
{
	return a.len == b.len &&
	    (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

bool
str_is(struct str a, const char *b)
{
	return str_eq(a, str_of(b));
}

bool
str_starts(struct str a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.len >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

bool
str_split(struct str *rest, char sep, struct str *part)
{
	const char *end;

	if (rest->len == 0) {
		return false;
	}
	end = memchr(rest->p, sep, rest->len);
	if (end == NULL) {
		*part = *rest;
		*rest = (struct str){ 0 };
	} else {
		*part = (struct str){ rest->p, (size_t)(end - rest->p) };
		rest->len -= part->len + 1;
		rest->p = end + 1;
	}
	return true;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str
str_trim(struct str s)
{
	while (s.len != 0 && is_space(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len != 0 && is_space(s.p[s.len - 1])) {
		s.len--;
	}
	return s;
}

void
str_copy(char *dst, size_t size, struct str s)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;

	if (n != 0) {
		memcpy(dst, s.p, n);
	}
	dst[n] = '\0';
}

char *
str_dup(struct str s)
{
	char *copy = mem_alloc(s.len + 1);

	str_copy(copy, s.len + 1, s);
	return copy;
}

int
str_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0) {
		return -EINVAL;
	}
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9) {
			return -EINVAL;
		}
		if (v > max / 10 || v * 10 > max - digit) {
			return -ERANGE;
		}
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

char *
str_safe(char *dst, size_t size, struct str s)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;

	for (size_t i = 0; i < n; i++) {
		char c = s.p[i];

		dst[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	dst[n] = '\0';
	return dst;
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* wyhash's round; the seed keeps outsiders from choosing collisions. */
uint64_t
str_hash(struct str s, uint64_t seed)
{
	const uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL;
	uint64_t h = seed ^ mix(s.len ^ k0, k1);
	size_t at = 0;

	while (at < s.len) {
		uint64_t a = 0, b = 0;
		size_t n = s.len - at < 8 ? s.len - at : 8;

		memcpy(&a, s.p + at, n);
		at += n;
		n = s.len - at < 8 ? s.len - at : 8;
		if (n != 0) {
			memcpy(&b, s.p + at, n);
			at += n;
		}
		h = mix(a ^ k0 ^ h, b ^ k1);
	}
	return mix(h ^ k1, k0);
}

void
str_hex(char *dst, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digits[b[i] >> 4];
		dst[2 * i + 1] = digits[b[i] & 15];
	}
	dst[2 * n] = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return -1;
}

int
str_unhex(void *dst, size_t n, struct str s)
{
	uint8_t *b = dst;

	if (s.len != 2 * n) {
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(s.p[2 * i]), lo = hex_digit(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0) {
			return -EINVAL;
		}
		b[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

#define DISTANCE_MAX 64

unsigned
str_distance(const char *a, const char *b)
{
	unsigned row[DISTANCE_MAX + 1];
	size_t n = strlen(b);

	if (n > DISTANCE_MAX || strlen(a) > DISTANCE_MAX) {
		return UINT_MAX;
	}
	for (unsigned j = 0; j <= n; j++) {
		row[j] = j;
	}
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j], best = diagonal;

			best += a[i - 1] != b[j - 1];
			best = above + 1 < best ? above + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[n];
}
