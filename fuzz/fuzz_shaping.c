#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "shaping.h"

/*
 * A text is shaping.cf up to a zero byte and a reply behind it: what is
 * refused is refused with one line; what is taken can be printed and read
 * again, and is compared with the reply within its bounds.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size != 0 ? memchr(data, 0, size) : NULL;
	size_t n = end != NULL ? (size_t)(end - data) : size;
	struct str reply = { (const char *)data + n, size - n };
	struct shaping *s = NULL;
	struct buf out = { 0 };

	if (shaping_parse(
		"f", (struct str){ (const char *)data, n }, &s, &out) < 0) {
		assert(out.len > 4 && memcmp(out.p, "f:", 2) == 0);
		assert(memchr(out.p, '\n', out.len) == NULL);
		buf_fini(&out);
		return 0;
	}
	for (size_t i = 0; i < s->n_sections; i++) {
		struct shaping_limits l = { 0 };
		struct buf why = { 0 };

		out.len = 0;
		shaping_limits_print(&s->sections[i]->limits, &out);
		assert(out.len == 0 ||
		    shaping_limits_parse(&l, buf_str(&out), &why) == 0);
		(void)shaping_match(s->sections[i], REPLY_RCPT, reply);
		buf_fini(&why);
	}
	buf_fini(&out);
	shaping_free(&s);
	return 0;
}
