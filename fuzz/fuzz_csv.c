/* However the bytes come in pieces, the rows are the same; and rows written
 * again read the same. */
#include <assert.h>

#include "csv.h"
#include "fuzz.h"

struct rows {
	struct buf text; /* what was read, written again */
	bool is_bad;
};

static int
add(void *arg, const struct str *fields, size_t n)
{
	struct rows *r = arg;

	r->is_bad |= n == 0;
	assert(n <= CSV_FIELDS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (i != 0) {
			buf_u8(&r->text, ',');
		}
		csv_put(&r->text, fields[i]);
	}
	if (n == 1 && fields[0].len == 0) {
		buf_puts(&r->text, "\"\""); /* not an empty line */
	}
	buf_puts(&r->text, n == 0 ? "-\r\n" : "\r\n");
	return 0;
}

static void
read_rows(struct str data, size_t cut, struct rows *out)
{
	struct csv c = { .n = 0 };

	*out = (struct rows){ .is_bad = false };
	assert(csv_feed(&c, (struct str){ data.p, cut }, add, out) == 0);
	assert(csv_feed(&c, (struct str){ data.p + cut, data.len - cut }, add,
		   out) == 0);
	assert(csv_end(&c, add, out) == 0);
	csv_fini(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[1];
	struct str text = { (const char *)(size != 0 ? data : none), size };
	struct rows whole, parts, again;

	read_rows(text, 0, &whole);
	read_rows(text, size != 0 ? data[0] % (size + 1) : 0, &parts);
	assert(str_eq(buf_str(&whole.text), buf_str(&parts.text)));
	if (!whole.is_bad && whole.text.len != 0) {
		read_rows(buf_str(&whole.text), 0, &again);
		assert(again.is_bad ||
		    str_eq(buf_str(&whole.text), buf_str(&again.text)));
		buf_fini(&again.text);
	}
	buf_fini(&whole.text);
	buf_fini(&parts.text);
	return 0;
}
