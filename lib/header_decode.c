/* Header text for people: unfolding, and RFC 2047. */
#include "header.h"

#include <string.h>
#include <strings.h>

#include "header_word.h"
#include "utf8.h"

struct writer {
	char *out;
	size_t size;
	size_t n;
	bool is_cut;
};

static void
put(struct writer *w, char c)
{
	if (w->n == w->size) {
		w->is_cut = true;
		return;
	}
	w->out[w->n++] = c;
}

static bool
is_fws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* White space, of which CR and LF are only folding. */
static void
put_space(struct writer *w, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != '\r' && p[i] != '\n') {
			put(w, p[i]);
		}
	}
}

size_t
header_unfold(const char *value, size_t len, char *out, size_t out_size)
{
	struct writer w = { .out = out, .size = out_size };

	while (len > 0 && is_fws(value[len - 1])) {
		len--;
	}
	while (len > 0 && is_fws(*value)) {
		value++;
		len--;
	}
	put_space(&w, value, len);
	return w.n;
}

bool
header_word_read(const char *p, const char *end, struct header_word *out)
{
	struct header_word w = { .charset = p + 2 };
	const char *start = p;

	if (end - p < 2 || p[0] != '=' || p[1] != '?') {
		return false;
	}
	p += 2;
	while (p<end && * p> ' ' && *p <= '~' && *p != '?') {
		p++;
	}
	w.charset_len = (size_t)(p - w.charset);
	if (end - p < 3 || p[0] != '?' || p[2] != '?' || w.charset_len == 0) {
		return false;
	}
	w.encoding = p[1];
	p += 3;
	w.text = p;
	while (p<end && * p> ' ' && *p <= '~' && *p != '?') {
		p++;
	}
	w.text_len = (size_t)(p - w.text);
	if (end - p < 2 || p[0] != '?' || p[1] != '=') {
		return false;
	}
	w.len = (size_t)(p - start) + 2;
	*out = w;
	return true;
}

static bool
is_charset(const struct header_word *w, const char *name)
{
	/* RFC 2231 section 5: a language may follow. */
	const char *star = memchr(w->charset, '*', w->charset_len);
	size_t len =
	    star != NULL ? (size_t)(star - w->charset) : w->charset_len;

	return len == strlen(name) && strncasecmp(w->charset, name, len) == 0;
}

static void
put_decoded(struct writer *w, unsigned c, bool latin1)
{
	if (latin1 && c >= 0x80) {
		put(w, (char)(0xc0 | c >> 6));
		put(w, (char)(0x80 | (c & 0x3f)));
	} else {
		put(w, (char)c);
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
decode_q(const struct header_word *word, struct writer *w, bool latin1)
{
	const char *p = word->text;
	const char *end = p + word->text_len;

	while (p < end) {
		int high;
		int low;

		if (*p != '=') {
			put(w, *p == '_' ? ' ' : *p);
			p++;
			continue;
		}
		if (end - p < 3) {
			return false;
		}
		high = hex_digit(p[1]);
		low = hex_digit(p[2]);
		if (high < 0 || low < 0) {
			return false;
		}
		put_decoded(w, (unsigned)(high << 4 | low), latin1);
		p += 3;
	}
	return true;
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool
decode_b(const struct header_word *word, struct writer *w, bool latin1)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < word->text_len; i++) {
		int digit = base64_digit(word->text[i]);

		if (word->text[i] == '=') {
			break;
		}
		if (digit < 0) {
			return false;
		}
		bits = (bits << 6 | (unsigned)digit) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			put_decoded(w, bits >> have & 0xff, latin1);
		}
	}
	return true;
}

/* Decode, or copy what cannot be decoded as it is. */
static void
put_word(struct writer *w, const struct header_word *word, const char *raw)
{
	struct writer before = *w;
	bool latin1 = is_charset(word, "iso-8859-1");
	bool known =
	    latin1 || is_charset(word, "utf-8") || is_charset(word, "us-ascii");
	bool done = false;

	if (known && (word->encoding | 0x20) == 'q') {
		done = decode_q(word, w, latin1);
	} else if (known && (word->encoding | 0x20) == 'b') {
		done = decode_b(word, w, latin1);
	}
	if (!done) {
		*w = before;
		for (size_t i = 0; i < word->len; i++) {
			put(w, raw[i]);
		}
	}
}

/* Make it valid UTF-8 without controls, in place. Returns the length. */
static size_t
make_printable(char *s, size_t len, bool is_cut)
{
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		size_t k = utf8_read(s + i, len - i, &code);

		if (k == 0 && is_cut && len - i < 4 && (s[i] & 0xc0) == 0xc0) {
			break; /* the cut went through a character */
		}
		if (k == 0) {
			s[n++] = '?';
			i++;
			continue;
		}
		if (code < ' ' || (code >= 0x7f && code < 0xa0)) {
			s[n++] = ' ';
		} else {
			memmove(s + n, s + i, k);
			n += k;
		}
		i += k;
	}
	return n;
}

size_t
header_decode(const char *value, size_t len, char *out, size_t out_size)
{
	struct writer w = { .out = out, .size = out_size };
	const char *p = value;
	const char *end = value + len;
	bool after_word = false;

	while (p < end && !w.is_cut) {
		const char *space = p;
		struct header_word word;
		bool is_word;

		while (p < end && is_fws(*p)) {
			p++;
		}
		if (p == end) {
			break;
		}
		is_word = header_word_read(p, end, &word);
		/* RFC 2047 6.2: space between encoded words is nothing. */
		if (space > value && !(is_word && after_word)) {
			put_space(&w, space, (size_t)(p - space));
		}
		if (is_word) {
			put_word(&w, &word, p);
			p += word.len;
		} else {
			do {
				put(&w, *p++);
			} while (p < end && !is_fws(*p));
		}
		after_word = is_word;
	}
	return make_printable(out, w.n, w.is_cut);
}
