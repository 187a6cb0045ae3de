#include "pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

/* A pattern as it is walked through: sizes in places. */
struct walk {
	const char *p;
	uint64_t sum[DEPTH_MAX]; /* of each open group so far */
	unsigned depth;
	uint64_t last; /* of what a repetition would repeat */
};

/* Behind a bracket expression; p stands on its first byte. */
static const char *
skip_bracket(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	p += *p == ']';
	while (*p != '\0' && *p != ']') {
		char kind = p[0] == '[' ? p[1] : '\0';

		if (kind == ':' || kind == '.' || kind == '=') {
			const char close[] = { kind, ']', '\0' };
			const char *end = strstr(p + 2, close);

			p = end != NULL ? end + 1 : p;
		}
		p++;
	}
	return *p == ']' ? p + 1 : p;
}

/* The larger number of {n}, {n,} or {n,m}; p stands on the brace. */
static uint64_t
repeats(const char **p)
{
	char *end;
	uint64_t n = strtoul(*p + 1, &end, 10);

	if (*end == ',') {
		uint64_t m = strtoul(end + 1, &end, 10);

		n = m > n ? m : n + 1;
	}
	*p = *end == '}' ? end + 1 : *p + 1;
	return n <= PATTERN_SIZE_MAX ? n : PATTERN_SIZE_MAX + 1;
}

static void
add(struct walk *w, uint64_t size)
{
	w->last = size;
	w->sum[w->depth] += size;
}

static void
repeat(struct walk *w, uint64_t times)
{
	if (times > 1) {
		w->sum[w->depth] += w->last * (times - 1);
		w->last *= times;
	}
}

/* One place, group end or repetition. False: too deep. */
static bool
step(struct walk *w)
{
	switch (*w->p) {
	case '(':
		w->p++;
		if (++w->depth == DEPTH_MAX) {
			return false;
		}
		w->sum[w->depth] = 0;
		w->last = 0;
		return true;
	case ')':
		w->p++;
		if (w->depth > 0) {
			w->depth--;
			add(w, w->sum[w->depth + 1] + 1);
		}
		return true;
	case '{':
		repeat(w, repeats(&w->p));
		return true;
	case '+':
		w->p++;
		repeat(w, 2); /* x+ is compiled as xx* */
		return true;
	case '[':
		w->p = skip_bracket(w->p);
		break;
	case '\\':
		w->p += w->p[1] != '\0' ? 2 : 1;
		break;
	default:
		w->p++;
		break;
	}
	add(w, 1);
	return true;
}

static const char *
find_fault(const char *pattern)
{
	struct walk w = { .p = pattern };

	while (*w.p != '\0') {
		if (w.p[0] == '\\' && w.p[1] >= '0' && w.p[1] <= '9') {
			return "back-references (\\1) are not allowed";
		}
		if (!step(&w)) {
			return "groups are nested too deeply";
		}
		if (w.sum[w.depth] > PATTERN_SIZE_MAX) {
			return "its repetitions multiply to too much";
		}
	}
	return NULL;
}

int
pattern_compile(regex_t *re, const char *pattern, int flags, struct buf *why)
{
	const char *fault = find_fault(pattern);
	char text[128];
	regex_t made;
	int e;

	if (fault != NULL) {
		buf_puts(why, fault);
		return -EINVAL;
	}
	e = regcomp(&made, pattern, REG_EXTENDED | REG_ICASE | flags);
	if (e != 0) {
		(void)regerror(e, &made, text, sizeof(text));
		buf_puts(why, text);
		return -EINVAL;
	}
	*re = made;
	return 0;
}
