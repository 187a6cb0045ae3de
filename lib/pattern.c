#include "pattern.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What such a group as (^|a) or (\\<|) counts: the C library copies all that
 * may come behind it and be nothing. */
#define PLACE_SIZE 50u

/* A group, or the whole. Sizes are right up to PATTERN_SIZE_MAX, and beyond it
 * above. */
struct level {
	uint32_t size;
	uint32_t last;	   /* of that, what an operator behind it repeats */
	bool is_last_full; /* that is never nothing */
	bool is_full;	   /* what stands before it in this branch is not */
	bool has_void;	   /* a branch before may be nothing */
	bool has_place;	   /* there is a ^, $ or the like in it */
};

struct scan {
	const char *at;
	unsigned depth;
	struct level levels[PATTERN_DEPTH_MAX + 1];
	bool has_reference;
	bool repeats_nothing;
};

static uint32_t
cut(uint64_t n)
{
	return n <= PATTERN_SIZE_MAX ? (uint32_t)n : PATTERN_SIZE_MAX + 1;
}

static void
add(struct scan *s, uint32_t size, bool is_full)
{
	struct level *l = &s->levels[s->depth];

	l->size = cut((uint64_t)l->size + size);
	l->last = size;
	l->is_full = l->is_full || l->is_last_full;
	l->is_last_full = is_full;
}

/*
 * What stands last is written up to n times, and there is an operator. The C
 * library's time may double with each operator on what may be nothing, as in
 * ((a?)+)?.
 */
static void
repeat(struct scan *s, uint64_t from, uint64_t n)
{
	struct level *l = &s->levels[s->depth];
	uint64_t more = (n > 1 ? n - 1 : 0) * l->last + 1;

	s->repeats_nothing = s->repeats_nothing || !l->is_last_full;
	l->size = cut(l->size + more);
	l->last = cut(l->last + more);
	l->is_last_full = from > 0;
}

static bool
may_be_nothing(const struct level *l)
{
	return l->has_void || !(l->is_full || l->is_last_full);
}

/* ^, $, and places between characters that the C library has, such as \\<. */
static void
add_place(struct scan *s)
{
	add(s, 1, false);
	s->levels[s->depth].has_place = true;
}

static void
next_branch(struct scan *s)
{
	struct level *l = &s->levels[s->depth];

	*l = (struct level){ .size = cut(l->size + 1),
		.has_void = may_be_nothing(l),
		.has_place = l->has_place };
}

/* Digits; no count of an expression that compiles is larger than the cut. */
static uint64_t
number(const char **p)
{
	uint64_t n = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++) {
		n = n > 100000 ? n : n * 10 + (uint64_t)(**p - '0');
	}
	return n;
}

/* "{n}", "{n,}", "{n,m}" and, as the C library has it, "{,m}". x{n,} becomes n
 * times x, and x*. Other braces are regcomp's to refuse. */
static void
interval(struct scan *s)
{
	const char *p = s->at + 1;
	uint64_t from = number(&p);
	uint64_t to = from;

	if (*p == ',') {
		p++;
		to = *p == '}' ? from + 1 : number(&p);
	}
	if (*p == '}') {
		repeat(s, from, to > from ? to : from);
		s->at = p + 1;
	} else {
		add(s, 1, true);
		s->at++;
	}
}

/* "[...]": a bracket in front, or in a class such as [:alpha:], does not end
 * it, and a backslash is nothing special. */
static void
bracket(struct scan *s)
{
	const char *p = s->at + 1;

	p += *p == '^';
	p += *p == ']';
	while (*p != '\0' && *p != ']') {
		if (*p == '[' && p[1] != '\0' && strchr(".:=", p[1]) != NULL) {
			const char end[] = { p[1], ']', '\0' };
			const char *close = strstr(p + 2, end);

			p = close != NULL ? close + 1 : p;
		}
		p++;
	}
	s->at = *p == ']' ? p + 1 : p;
	add(s, 1, true);
}

static void
escape(struct scan *s)
{
	char c = s->at[1];

	s->has_reference = s->has_reference || (c >= '0' && c <= '9');
	s->at += c != '\0' ? 2 : 1;
	if (c != '\0' && strchr("<>bB`'", c) != NULL) {
		add_place(s);
	} else {
		add(s, 1, true);
	}
}

static void
close_group(struct scan *s)
{
	const struct level *l = &s->levels[s->depth--];
	bool is_void = may_be_nothing(l);
	uint32_t places = is_void && l->has_place ? PLACE_SIZE : 0;

	add(s, cut((uint64_t)l->size + places), !is_void);
	s->levels[s->depth].has_place |= l->has_place;
}

/* One character's worth; false: groups are too deep. */
static bool
step(struct scan *s)
{
	switch (*s->at) {
	case '\\':
		escape(s);
		return true;
	case '[':
		bracket(s);
		return true;
	case '{':
		interval(s);
		return true;
	case '(':
		if (s->depth == PATTERN_DEPTH_MAX) {
			return false;
		}
		s->levels[++s->depth] = (struct level){ .size = 1 };
		break;
	case ')':
		if (s->depth > 0) {
			close_group(s);
		} else {
			add(s, 1, true);
		}
		break;
	case '|':
		next_branch(s);
		break;
	case '+':
		repeat(s, 1, 2); /* x+ becomes xx* */
		break;
	case '*':
	case '?':
		repeat(s, 0, 1);
		break;
	case '^':
	case '$':
		add_place(s);
		break;
	default:
		add(s, 1, true);
		break;
	}
	s->at++;
	return true;
}

static int
check(const char *pattern, struct buf *why)
{
	struct scan s = { .at = pattern };

	while (*s.at != '\0') {
		if (!step(&s)) {
			buf_printf(why, "it has more than %u groups in groups",
			    PATTERN_DEPTH_MAX);
			return -EINVAL;
		}
	}
	while (s.depth > 0) { /* regcomp will say so */
		close_group(&s);
	}
	if (s.has_reference) {
		buf_puts(why, "back-references (\\1) are not allowed");
		return -EINVAL;
	}
	if (s.repeats_nothing) {
		buf_puts(why,
		    "it repeats what may be nothing, as (a*)* does: leave one "
		    "of the operators out");
		return -EINVAL;
	}
	if (s.levels[0].size > PATTERN_SIZE_MAX) {
		buf_printf(why,
		    "its repetitions multiply to more than %u characters and "
		    "operators: use smaller counts, or *",
		    PATTERN_SIZE_MAX);
		return -EINVAL;
	}
	return 0;
}

int
pattern_compile(regex_t *re, const char *pattern, int flags, struct buf *why)
{
	char text[128];
	int e;

	if (check(pattern, why) < 0) {
		return -EINVAL;
	}
	e = regcomp(re, pattern, REG_EXTENDED | REG_ICASE | flags);
	if (e != 0) {
		(void)regerror(e, re, text, sizeof(text));
		buf_puts(why, text);
		return -EINVAL;
	}
	return 0;
}
