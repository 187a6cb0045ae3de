#include "json_put.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static void
put_escape(struct buf *b, uint32_t code)
{
	static const char digits[] = "0123456789abcdef";
	char text[] = "\\u0000";

	switch (code) {
	case '\n':
		buf_add(b, "\\n", 2);
		return;
	case '\r':
		buf_add(b, "\\r", 2);
		return;
	case '\t':
		buf_add(b, "\\t", 2);
		return;
	case '"':
	case '\\':
		buf_u8(b, '\\');
		buf_u8(b, (uint8_t)code);
		return;
	}
	for (int i = 5; i > 1; i--) {
		text[i] = digits[code & 15];
		code >>= 4;
	}
	buf_add(b, text, 6);
}

/* Controls, and what JavaScript before 2019 takes for the end of a line. */
static bool
must_escape(uint32_t code)
{
	return code < 0x20 || code == '"' || code == '\\' ||
	    (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

static bool
is_plain(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x20 && u < 0x7f && u != '"' && u != '\\';
}

void
json_put_text(struct buf *b, struct str s)
{
	size_t at = 0;

	(void)buf_reserve(b, s.len + 2);
	buf_u8(b, '"');
	while (at < s.len) {
		size_t run = at;
		uint32_t code = 0;
		size_t n;

		while (run < s.len && is_plain(s.p[run])) {
			run++;
		}
		buf_add(b, s.p + at, run - at);
		at = run;
		if (at == s.len) {
			break;
		}
		n = utf8_read(s.p + at, s.len - at, &code);
		if (n == 0 || code == 0) {
			buf_add(b, replacement, 3);
			n = 1;
		} else if (must_escape(code)) {
			put_escape(b, code);
		} else {
			buf_add(b, s.p + at, n);
		}
		at += n;
	}
	buf_u8(b, '"');
}

void
json_put_u64(struct buf *b, uint64_t v)
{
	char text[20];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_add(b, text + at, sizeof(text) - at);
}

void
json_put_comma(struct buf *b)
{
	uint8_t last = b->len != 0 ? b->p[b->len - 1] : '{';

	if (strchr("{[:,\n", last) == NULL) {
		buf_u8(b, ',');
	}
}

void
json_put_name(struct buf *b, const char *name)
{
	json_put_comma(b);
	buf_u8(b, '"');
	buf_puts(b, name);
	buf_add(b, "\":", 2);
}

void
json_put_str(struct buf *b, const char *name, struct str s)
{
	json_put_name(b, name);
	json_put_text(b, s);
}

void
json_put_num(struct buf *b, const char *name, uint64_t v)
{
	const char *quote = v > INT64_MAX ? "\"" : "";

	json_put_name(b, name);
	buf_puts(b, quote);
	json_put_u64(b, v);
	buf_puts(b, quote);
}

void
json_put_bool(struct buf *b, const char *name, bool v)
{
	json_put_name(b, name);
	buf_puts(b, v ? "true" : "false");
}

/* n decimal digits of v, and one byte behind them. */
static char *
put_digits(char *p, unsigned v, int n, char behind)
{
	for (int i = n; i-- > 0;) {
		p[i] = (char)('0' + v % 10);
		v /= 10;
	}
	p[n] = behind;
	return p + n + 1;
}

void
json_time(uint64_t us, char *dst)
{
	/* Later years would not fit RFC 3339's four digits. */
	const uint64_t last = 253402300799999999ULL;
	struct tm tm = { 0 };
	time_t s;

	us = us < last ? us : last;
	s = (time_t)(us / 1000000);
	(void)gmtime_r(&s, &tm);
	dst = put_digits(dst, (unsigned)tm.tm_year + 1900, 4, '-');
	dst = put_digits(dst, (unsigned)tm.tm_mon + 1, 2, '-');
	dst = put_digits(dst, (unsigned)tm.tm_mday, 2, 'T');
	dst = put_digits(dst, (unsigned)tm.tm_hour, 2, ':');
	dst = put_digits(dst, (unsigned)tm.tm_min, 2, ':');
	dst = put_digits(dst, (unsigned)tm.tm_sec, 2, '.');
	dst = put_digits(dst, (unsigned)(us % 1000000), 6, 'Z');
	*dst = '\0';
}

void
json_put_time(struct buf *b, const char *name, uint64_t us)
{
	char text[JSON_TIME_SIZE];

	json_time(us, text);
	json_put_name(b, name);
	buf_u8(b, '"');
	buf_puts(b, text);
	buf_u8(b, '"');
}

void
json_put_str_known(struct buf *b, const char *name, struct str s)
{
	if (s.len != 0) {
		json_put_str(b, name, s);
	}
}

void
json_put_num_known(struct buf *b, const char *name, uint64_t v)
{
	if (v != 0) {
		json_put_num(b, name, v);
	}
}

void
json_put_time_known(struct buf *b, const char *name, uint64_t us)
{
	if (us != 0) {
		json_put_time(b, name, us);
	}
}

void
json_put_open(struct buf *b, const char *name, char bracket)
{
	if (name != NULL) {
		json_put_name(b, name);
	} else {
		json_put_comma(b);
	}
	buf_u8(b, (uint8_t)bracket);
}

void
json_put_close(struct buf *b, char bracket)
{
	buf_u8(b, (uint8_t)bracket);
}

/* Nesting as far as brackets outside of texts tell; the parser does more. */
static int
nesting(struct str s)
{
	int deepest = 0;
	int depth = 0;
	bool in_text = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (in_text) {
			i += c == '\\';
			in_text = c != '"';
		} else if (c == '"') {
			in_text = true;
		} else if (c == '{' || c == '[') {
			depth++;
			deepest = depth > deepest ? depth : deepest;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return deepest;
}

static int
add_piece(const char *piece, size_t n, void *arg)
{
	buf_add(arg, piece, n);
	return 0;
}

void
json_put_object_text(struct buf *b, const char *name, struct str text)
{
	json_t *tree;

	/* Our own nesting comes on top, and parsers have limits. */
	if (text.len == 0 || nesting(text) > JSON_PUT_DEPTH) {
		return;
	}
	tree = json_loadb(text.p, text.len, 0, NULL);
	if (json_is_object(tree)) {
		json_put_name(b, name);
		(void)json_dump_callback(tree, add_piece, b, JSON_COMPACT);
	}
	json_decref(tree);
}
