#include "csv.h"

#include <string.h>

static void
end_field(struct csv *c)
{
	if (c->n == CSV_FIELDS_MAX) {
		c->is_bad = true;
		return;
	}
	c->ends[c->n++] = c->row.len;
	c->was_quoted = false;
}

static int
end_row(struct csv *c, csv_fn *fn, void *arg)
{
	struct str fields[CSV_FIELDS_MAX], row;
	size_t from = 0;
	int r = 0;

	c->state = CSV_PLAIN;
	if (c->n == 0 && c->row.len == 0 && !c->was_quoted && !c->is_bad) {
		return 0;
	}
	end_field(c);
	row = buf_str(&c->row);
	for (size_t i = 0; i < c->n; i++) {
		size_t len = c->ends[i] - from;

		fields[i] =
		    len > 0 ? (struct str){ row.p + from, len } : STR("");
		from = c->ends[i];
	}
	c->rows++;
	r = fn(arg, fields, c->is_bad ? 0 : c->n);
	buf_clear(&c->row, CSV_ROW_MAX);
	c->n = 0;
	c->was_quoted = false;
	c->is_bad = false;
	return r;
}

static void
add(struct csv *c, char byte)
{
	if (c->row.len == CSV_ROW_MAX) {
		c->is_bad = true;
	} else {
		buf_u8(&c->row, (uint8_t)byte);
	}
}

static bool
field_is_empty(const struct csv *c)
{
	return c->row.len == (c->n > 0 ? c->ends[c->n - 1] : 0);
}

/* Outside of quotes. */
static int
take_plain(struct csv *c, char byte, csv_fn *fn, void *arg)
{
	if (byte == '\n') {
		return end_row(c, fn, arg);
	}
	if (byte == ',') {
		c->state = CSV_PLAIN;
		end_field(c);
	} else if (byte == '\r') {
		c->state = CSV_CR;
	} else if (byte == '"' && field_is_empty(c) && !c->was_quoted) {
		c->state = CSV_QUOTED;
		c->was_quoted = true;
	} else {
		c->is_bad |= c->was_quoted; /* text behind the quotes */
		c->state = CSV_PLAIN;
		add(c, byte);
	}
	return 0;
}

static int
take(struct csv *c, char byte, csv_fn *fn, void *arg)
{
	switch (c->state) {
	case CSV_QUOTED:
		if (byte == '"') {
			c->state = CSV_QUOTE_IN_QUOTED;
		} else {
			add(c, byte);
		}
		return 0;
	case CSV_QUOTE_IN_QUOTED:
		if (byte == '"') {
			c->state = CSV_QUOTED;
			add(c, byte);
			return 0;
		}
		break;
	case CSV_CR:
		if (byte != '\n') {
			c->is_bad = true; /* CR inside a line */
		}
		break;
	case CSV_PLAIN:
		break;
	}
	return take_plain(c, byte, fn, arg);
}

int
csv_feed(struct csv *c, struct str data, csv_fn *fn, void *arg)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < data.len; i++) {
		r = take(c, data.p[i], fn, arg);
	}
	return r;
}

int
csv_end(struct csv *c, csv_fn *fn, void *arg)
{
	c->is_bad |= c->state == CSV_QUOTED;
	return end_row(c, fn, arg);
}

void
csv_fini(struct csv *c)
{
	buf_fini(&c->row);
	*c = (struct csv){ .n = 0 };
}

void
csv_put(struct buf *out, struct str field)
{
	bool needs_quotes = false;

	for (size_t i = 0; i < field.len; i++) {
		needs_quotes |= strchr(",\"\r\n", field.p[i]) != NULL;
	}
	if (!needs_quotes) {
		buf_add(out, field.p, field.len);
		return;
	}
	buf_u8(out, '"');
	for (size_t i = 0; i < field.len; i++) {
		if (field.p[i] == '"') {
			buf_u8(out, '"');
		}
		buf_u8(out, (uint8_t)field.p[i]);
	}
	buf_u8(out, '"');
}
