#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "pattern.h"

#define TEXT_MAX 512

/*
 * An expression up to a zero byte and a text behind it: it is refused with a
 * reason, or compiled and compared within the bounds on memory and time that
 * the fuzzer is given.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size != 0 ? memchr(data, 0, size) : NULL;
	size_t n = end != NULL ? (size_t)(end - data) : size;
	char pattern[TEXT_MAX + 1];
	struct buf why = { 0 };
	char text[1024];
	regex_t re;

	if (n > TEXT_MAX) {
		return 0;
	}
	str_copy(
	    pattern, sizeof(pattern), (struct str){ (const char *)data, n });
	str_copy(text, sizeof(text),
	    (struct str){ (const char *)data + n, size - n });
	if (pattern_compile(&re, pattern, REG_NOSUB, &why) == 0) {
		(void)regexec(&re, text, 0, NULL, 0);
		regfree(&re);
		assert(why.len == 0);
	} else {
		assert(why.len != 0);
	}
	buf_fini(&why);
	return 0;
}
