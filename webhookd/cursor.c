#include "cursor.h"

#include <errno.h>
#include <stdio.h>

#include "crc32c.h"

static const char first_line[] = "packetboat-cursors 1\n";

void
cursor_begin(struct buf *out)
{
	buf_puts(out, first_line);
}

void
cursor_add(struct buf *out, const struct cursor *c)
{
	buf_printf(out, "%lu %llu %llu %llu %lu\n", (unsigned long)c->hook,
	    (unsigned long long)c->place.after,
	    (unsigned long long)c->place.from,
	    (unsigned long long)c->failing_us, (unsigned long)c->failures);
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

static int
parse_line(struct str line, struct cursor *c)
{
	uint64_t v[5];
	struct str word;

	for (size_t i = 0; i < array_len(v); i++) {
		if (!str_split(&line, ' ', &word) ||
		    str_u64(word, UINT64_MAX, &v[i]) < 0) {
			return -EBADMSG;
		}
	}
	if (line.len != 0 || v[0] > UINT32_MAX || v[4] > UINT32_MAX) {
		return -EBADMSG;
	}
	*c = (struct cursor){ .hook = (uint32_t)v[0],
		.place = { v[1], v[2] },
		.failing_us = v[3],
		.failures = (uint32_t)v[4] };
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

static int
each_line(
    struct str lines, void (*fn)(void *arg, const struct cursor *c), void *arg)
{
	struct str line;
	struct cursor c;

	while (lines.len != 0 && str_split(&lines, '\n', &line)) {
		if (parse_line(line, &c) < 0) {
			return -EBADMSG;
		}
		if (fn != NULL) {
			fn(arg, &c);
		}
	}
	return 0;
}

int
cursor_parse(
    struct str text, void (*fn)(void *arg, const struct cursor *c), void *arg)
{
	struct str lines;

	if (check_frame(text, &lines) < 0 || each_line(lines, NULL, NULL) < 0) {
		return -EBADMSG;
	}
	return each_line(lines, fn, arg);
}
