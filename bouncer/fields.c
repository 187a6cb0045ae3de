#include "fields.h"

#include <string.h>
#include <strings.h>

#include "text.h"

static void
add_value(struct buf *out, struct str s)
{
	s = str_trim(s);
	if (out->len > 0 && s.len > 0) {
		buf_u8(out, ' ');
	}
	for (size_t i = 0; i < s.len && out->len < FIELD_VALUE_MAX; i++) {
		if (s.p[i] == '\t') {
			buf_u8(out, ' ');
		} else if (s.p[i] != ' ' || i == 0 || s.p[i - 1] != ' ') {
			buf_u8(out, (uint8_t)s.p[i]);
		}
	}
}

/* RFC 5322 section 2.2: printable ASCII but the colon; blanks before the
 * colon are the obsolete form. */
static bool
split(struct str line, struct str *name, struct str *value)
{
	size_t n = 0;

	while (n < line.len && line.p[n] > ' ' && line.p[n] < 127 &&
	    line.p[n] != ':') {
		n++;
	}
	*name = (struct str){ line.p, n };
	while (n < line.len && (line.p[n] == ' ' || line.p[n] == '\t')) {
		n++;
	}
	if (name->len == 0 || n == line.len || line.p[n] != ':') {
		return false;
	}
	*value = (struct str){ line.p + n + 1, line.len - n - 1 };
	return true;
}

enum field_step
fields_next(struct str *rest, struct field *f)
{
	struct str line, value;

	if (rest->len == 0) {
		return FIELD_END;
	}
	line = text_line(rest);
	if (str_trim(line).len == 0) {
		return FIELD_BLANK;
	}
	if (!split(line, &f->name, &value)) {
		return FIELD_JUNK;
	}
	buf_clear(&f->folded, FIELD_VALUE_MAX);
	add_value(&f->folded, value);
	while (rest->len > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
		struct str more = *rest;

		line = text_line(&more);
		if (str_trim(line).len == 0) {
			break; /* an empty line with blanks ends the block */
		}
		*rest = more;
		add_value(&f->folded, line);
	}
	f->value = str_trim(buf_str(&f->folded));
	return FIELD_FOUND;
}

void
fields_fini(struct field *f)
{
	buf_fini(&f->folded);
}

bool
field_is(const struct field *f, const char *name)
{
	return f->name.len == strlen(name) &&
	    strncasecmp(f->name.p, name, f->name.len) == 0;
}

static bool
get(struct str header, const char *name, char *dst, size_t size)
{
	struct field f = { 0 };
	enum field_step step;
	bool found = false;

	while (!found && (step = fields_next(&header, &f)) != FIELD_END) {
		found = step == FIELD_FOUND && field_is(&f, name);
	}
	if (found && dst != NULL) {
		str_copy(dst, size, f.value);
	}
	fields_fini(&f);
	return found;
}

bool
fields_get(struct str header, const char *name, char *dst, size_t size)
{
	dst[0] = '\0';
	return get(header, name, dst, size);
}

bool
fields_has(struct str header, const char *name)
{
	return get(header, name, NULL, 0);
}
