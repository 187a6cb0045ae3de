#include "text.h"

#include <string.h>
#include <strings.h>

void
text_fold(struct str s, struct buf *out)
{
	bool is_space = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			is_space = true;
			continue;
		}
		if (is_space && out->len > 0) {
			buf_u8(out, ' ');
		}
		is_space = false;
		buf_u8(out, (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c));
	}
}

struct str
text_line(struct str *rest)
{
	const char *lf = memchr(rest->p, '\n', rest->len);
	struct str line = { rest->p,
		lf != NULL ? (size_t)(lf - rest->p) : rest->len };
	size_t used = lf != NULL ? line.len + 1 : line.len;

	rest->p += used;
	rest->len -= used;
	return line;
}

struct str
text_skip_blank(struct str s)
{
	while (s.len > 0) {
		struct str rest = s;

		if (str_trim(text_line(&rest)).len > 0) {
			break;
		}
		s = rest;
	}
	return s;
}

bool
text_has(struct str folded, const char *needle)
{
	return folded.len != 0 &&
	    memmem(folded.p, folded.len, needle, strlen(needle)) != NULL;
}

bool
text_has_any(struct str folded, const char *const *needles)
{
	for (; *needles != NULL; needles++) {
		if (text_has(folded, *needles)) {
			return true;
		}
	}
	return false;
}

unsigned
text_count(struct str folded, const char *const *needles)
{
	unsigned n = 0;

	for (; *needles != NULL; needles++) {
		n += text_has(folded, *needles);
	}
	return n;
}

bool
text_begins(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && strncasecmp(s.p, prefix, n) == 0;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (unsigned char)c >= 0x80;
}

bool
text_begins_any(struct str line, const char *const *prefixes)
{
	while (line.len > 0 && !is_letter(line.p[0])) {
		line.p++;
		line.len--;
	}
	for (; *prefixes != NULL; prefixes++) {
		if (text_begins(line, *prefixes)) {
			return true;
		}
	}
	return false;
}
