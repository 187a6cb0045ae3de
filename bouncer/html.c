#include "html.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Tags after which a browser begins a new line. */
static const char *const line_tags[] = { "br", "p", "/p", "div", "/div", "tr",
	"/tr", "li", "/li", "h1", "/h1", "h2", "/h2", "h3", "/h3", "hr",
	"table", "/table", "pre", "/pre", "/title" };

/* Elements whose content is not text. */
static const char *const hidden_tags[] = { "style", "script" };

static bool
is_tag(struct str name, const char *tag)
{
	return name.len == strlen(tag) &&
	    strncasecmp(name.p, tag, name.len) == 0;
}

static struct str
tag_name(struct str s)
{
	size_t n = 0;

	while (n < s.len &&
	    (isalnum((unsigned char)s.p[n]) || (n == 0 && s.p[n] == '/'))) {
		n++;
	}
	return (struct str){ s.p, n };
}

/* Where the element that was opened ends: behind "</name". */
static size_t
skip_hidden(struct str s, size_t at, const char *name)
{
	size_t n = strlen(name);

	while (at + n + 2 <= s.len) {
		const char *lt = memchr(s.p + at, '<', s.len - at);

		if (lt == NULL) {
			break;
		}
		at = (size_t)(lt - s.p);
		if (at + n + 2 <= s.len && s.p[at + 1] == '/' &&
		    strncasecmp(s.p + at + 2, name, n) == 0) {
			return at;
		}
		at++;
	}
	return s.len;
}

/* s begins with '<'. Returns how many bytes are dealt with. */
static size_t
put_tag(struct str s, struct buf *out)
{
	const char *gt = memchr(s.p, '>', s.len);
	struct str name = tag_name((struct str){ s.p + 1, s.len - 1 });
	size_t used = gt != NULL ? (size_t)(gt - s.p) + 1 : s.len;

	for (size_t i = 0; i < array_len(hidden_tags); i++) {
		if (is_tag(name, hidden_tags[i])) {
			return skip_hidden(s, used, hidden_tags[i]);
		}
	}
	for (size_t i = 0; i < array_len(line_tags); i++) {
		if (is_tag(name, line_tags[i])) {
			buf_u8(out, '\n');
			break;
		}
	}
	return used;
}

/* s begins with '&'. */
static size_t
put_entity(struct str s, struct buf *out)
{
	static const struct {
		const char *name;
		char c;
	} entities[] = { { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' },
		{ "&quot;", '"' }, { "&nbsp;", ' ' }, { "&apos;", '\'' },
		{ "&#64;", '@' }, { "&#39;", '\'' }, { "&#160;", ' ' } };

	for (size_t i = 0; i < array_len(entities); i++) {
		size_t n = strlen(entities[i].name);

		if (s.len >= n && memcmp(s.p, entities[i].name, n) == 0) {
			buf_u8(out, (uint8_t)entities[i].c);
			return n;
		}
	}
	buf_u8(out, '&');
	return 1;
}

void
html_to_text(struct str html, struct buf *out)
{
	size_t at = 0;

	while (at < html.len) {
		struct str rest = { html.p + at, html.len - at };

		if (rest.p[0] == '<') {
			at += put_tag(rest, out);
		} else if (rest.p[0] == '&') {
			at += put_entity(rest, out);
		} else {
			buf_u8(out, (uint8_t)rest.p[0]);
			at++;
		}
	}
}
