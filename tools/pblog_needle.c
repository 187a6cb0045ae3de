#include "pblog_needle.h"

#include <string.h>
#include <strings.h>

/* Bytes compared at once; what the compiler makes of it is up to it. */
typedef uint8_t vector __attribute__((vector_size(16)));
#define STEP (4 * sizeof(vector))

static bool
is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* How often a byte is met in records; lower is better. */
static unsigned
commonness(uint8_t c)
{
	if (c == 0 || strchr("etaoinsr .", c | 0x20) != NULL) {
		return 3;
	}
	return is_letter(c) || (c >= '0' && c <= '9') ? 2 : 1;
}

static void
choose(struct needle *n, int i, size_t at)
{
	uint8_t c = (uint8_t)n->text.p[at];

	n->at[i] = at;
	n->fold[i] = is_letter(c) ? 0x20 : 0;
	n->byte[i] = c | n->fold[i];
}

void
needle_make(struct needle *n, const char *text)
{
	size_t best = 0;
	size_t second;

	*n = (struct needle){ .text = str_of(text) };
	if (n->text.len == 0) {
		return;
	}
	for (size_t i = 1; i < n->text.len; i++) {
		if (commonness((uint8_t)n->text.p[i]) <
		    commonness((uint8_t)n->text.p[best])) {
			best = i;
		}
	}
	/* Far from the first one, so that they say different things. */
	second = best < n->text.len / 2 ? n->text.len - 1 : 0;
	choose(n, 0, best);
	choose(n, 1, second);
}

static bool
is_at(const struct needle *n, const char *p)
{
	for (int i = 0; i < 2; i++) {
		if (((uint8_t)p[n->at[i]] | n->fold[i]) != n->byte[i]) {
			return false;
		}
	}
	return strncasecmp(p, n->text.p, n->text.len) == 0;
}

static vector
fill(uint8_t c)
{
	return (vector){ 0 } + c;
}

static vector
compare(const char *p, uint8_t byte, uint8_t fold)
{
	vector v;

	memcpy(&v, p, sizeof(v));
	return (vector)((v | fill(fold)) == fill(byte));
}

/* Whether it may begin at one of the STEP places from p on. */
static bool
may_begin(const struct needle *n, const char *p)
{
	const char *a = p + n->at[0];
	const char *b = p + n->at[1];
	vector any = { 0 };
	uint64_t half[2];

	for (size_t i = 0; i < STEP; i += sizeof(vector)) {
		any |= compare(a + i, n->byte[0], n->fold[0]) &
		    compare(b + i, n->byte[1], n->fold[1]);
	}
	memcpy(half, &any, sizeof(half));
	return (half[0] | half[1]) != 0;
}

bool
needle_is_in(const struct needle *n, struct str s)
{
	size_t places, i = 0;

	if (n->text.len == 0) {
		return true;
	}
	if (s.len < n->text.len) {
		return false;
	}
	places = s.len - n->text.len + 1;
	for (; i + STEP <= places; i += STEP) {
		if (!may_begin(n, s.p + i)) {
			continue;
		}
		for (size_t k = 0; k < STEP; k++) {
			if (is_at(n, s.p + i + k)) {
				return true;
			}
		}
	}
	for (; i < places; i++) {
		if (is_at(n, s.p + i)) {
			return true;
		}
	}
	return false;
}
