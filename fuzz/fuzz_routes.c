#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "routes.h"

static int
check(int r, struct buf *error)
{
	assert((r < 0) == (error->len != 0));
	assert(r == 0 || memchr(error->p, '\n', error->len) == NULL);
	return r;
}

/*
 * A text is routes.cf up to a zero byte and the file of passwords behind it:
 * each is taken, or refused with one line; what is found has all its texts.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size != 0 ? memchr(data, 0, size) : NULL;
	size_t n = end != NULL ? (size_t)(end - data) : size;
	struct str text = { (const char *)data, n };
	struct str secret = { (const char *)data + n, size - n };
	struct routes *r = routes_new();
	struct buf error = { 0 };

	if (check(routes_parse(r, text, "f", &error), &error) == 0 &&
	    check(routes_parse_passwords(r, secret, "p", &error), &error) ==
		0) {
		const struct routes_entry *e = routes_find(r, STR("a.test"));

		assert(e == NULL ||
		    (e->hop != NULL && e->tls != NULL && e->user != NULL &&
			e->password != NULL));
	}
	buf_fini(&error);
	routes_free(&r);
	return 0;
}
