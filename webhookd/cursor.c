#include "cursor.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"

static const char first_line[] = "packetboat-cursors 1\n";
static const char dead_word[] = "dead ";

void
cursor_begin(struct buf *out)
{
	buf_puts(out, first_line);
}

#define CURSOR_NUMBERS 7
#define DEAD_NUMBERS 9

static void
add_line(struct buf *out, const char *word, const uint64_t *v, size_t n)
{
	buf_puts(out, word);
	for (size_t i = 0; i < n; i++) {
		buf_printf(
		    out, i == 0 ? "%llu" : " %llu", (unsigned long long)v[i]);
	}
	buf_u8(out, '\n');
}

void
cursor_add(struct buf *out, const struct cursor *c)
{
	const uint64_t v[CURSOR_NUMBERS] = { c->hook, c->place.after,
		c->place.from, c->failing_us, c->failures, c->begin_us,
		c->asked_us };

	add_line(out, "", v, array_len(v));
	for (size_t i = 0; i < c->dead.n; i++) {
		const struct dead_range *d = &c->dead.v[i];
		const uint64_t w[DEAD_NUMBERS] = { c->hook, d->first, d->from,
			d->last, d->events, d->first_us, d->last_us,
			d->buried_us, d->asked_us };

		add_line(out, dead_word, w, array_len(w));
	}
}

static unsigned
count_lines(struct str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.len; i++) {
		n += s.p[i] == '\n';
	}
	return n;
}

/* What the last line must be, for the text before it. */
static void
print_end(struct buf *out, struct str body)
{
	buf_printf(out, "end %u %08x\n", count_lines(body) - 1,
	    (unsigned)crc32c(0, body.p, body.len));
}

void
cursor_end(struct buf *out)
{
	struct buf end = { 0 };

	print_end(&end, buf_str(out));
	buf_add(out, end.p, end.len);
	buf_fini(&end);
}

/* least to most numbers; those left out are 0. */
static int
parse_numbers(struct str line, uint64_t *v, size_t least, size_t most)
{
	struct str word;
	size_t n = 0;

	memset(v, 0, most * sizeof(*v));
	while (n < most && line.len != 0) {
		if (!str_split(&line, ' ', &word) ||
		    str_u64(word, UINT64_MAX, &v[n++]) < 0) {
			return -EBADMSG;
		}
	}
	return line.len == 0 && n >= least ? 0 : -EBADMSG;
}

static int
parse_cursor(struct str line, struct cursor *c)
{
	uint64_t v[CURSOR_NUMBERS];

	if (parse_numbers(line, v, 5, array_len(v)) < 0 || v[0] > UINT32_MAX ||
	    v[4] > UINT32_MAX) {
		return -EBADMSG;
	}
	*c = (struct cursor){ .hook = (uint32_t)v[0],
		.place = { v[1], v[2] },
		.failing_us = v[3],
		.failures = (uint32_t)v[4],
		.begin_us = v[5],
		.asked_us = v[6] };
	return 0;
}

static int
parse_dead(struct str line, uint32_t hook, struct dead_range *d)
{
	uint64_t v[DEAD_NUMBERS];

	line.p += sizeof(dead_word) - 1;
	line.len -= sizeof(dead_word) - 1;
	if (parse_numbers(line, v, array_len(v), array_len(v)) < 0 ||
	    v[0] != hook || v[1] == 0 || v[3] < v[1]) {
		return -EBADMSG;
	}
	*d = (struct dead_range){ .first = v[1],
		.from = v[2],
		.last = v[3],
		.events = v[4],
		.first_us = v[5],
		.last_us = v[6],
		.buried_us = v[7],
		.asked_us = v[8] };
	return 0;
}

/* The lines between the first and the end, or -EBADMSG. */
static int
check_frame(struct str text, struct str *lines)
{
	struct buf end = { 0 };
	size_t body = text.len;
	int r = -EBADMSG;

	if (!str_starts(text, first_line) || text.p[text.len - 1] != '\n') {
		return -EBADMSG;
	}
	do {
		body--;
	} while (body > 0 && text.p[body - 1] != '\n');
	print_end(&end, (struct str){ text.p, body });
	if (str_eq(buf_str(&end),
		(struct str){ text.p + body, text.len - body }) &&
	    body >= sizeof(first_line) - 1) {
		*lines = (struct str){ text.p + sizeof(first_line) - 1,
			body - (sizeof(first_line) - 1) };
		r = 0;
	}
	buf_fini(&end);
	return r;
}

/* One endpoint's lines, off the front. */
static int
parse_one(struct str *lines, struct cursor *c)
{
	struct str line;
	struct dead_range d;

	if (!str_split(lines, '\n', &line) || parse_cursor(line, c) < 0) {
		return -EBADMSG;
	}
	while (str_starts(*lines, dead_word) && str_split(lines, '\n', &line)) {
		if (parse_dead(line, c->hook, &d) < 0) {
			dead_fini(&c->dead);
			return -EBADMSG;
		}
		dead_append(&c->dead, &d);
	}
	return 0;
}

static int
each_cursor(
    struct str lines, void (*fn)(void *arg, const struct cursor *c), void *arg)
{
	struct cursor c;

	while (lines.len != 0) {
		if (parse_one(&lines, &c) < 0) {
			return -EBADMSG;
		}
		if (fn != NULL) {
			fn(arg, &c);
		}
		dead_fini(&c.dead);
	}
	return 0;
}

int
cursor_parse(
    struct str text, void (*fn)(void *arg, const struct cursor *c), void *arg)
{
	struct str lines;

	if (check_frame(text, &lines) < 0 ||
	    each_cursor(lines, NULL, NULL) < 0) {
		return -EBADMSG;
	}
	return each_cursor(lines, fn, arg);
}
