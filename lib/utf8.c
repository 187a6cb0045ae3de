#include "utf8.h"

/* Length by the first byte, and the least code that may need it. */
static size_t
sequence_len(unsigned char c, uint32_t *bits, uint32_t *least)
{
	if (c >= 0xc2 && c <= 0xdf) {
		*bits = c & 0x1f;
		*least = 0x80;
		return 2;
	}
	if ((c & 0xf0) == 0xe0) {
		*bits = c & 0x0f;
		*least = 0x800;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		*bits = c & 0x07;
		*least = 0x10000;
		return 4;
	}
	return 0;
}

size_t
utf8_read(const char *s, size_t len, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t bits = 0;
	uint32_t least = 0;
	size_t n;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	n = sequence_len(p[0], &bits, &least);
	if (n == 0 || n > len) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
		bits = bits << 6 | (p[i] & 0x3f);
	}
	if (bits < least || bits > 0x10ffff ||
	    (bits >= 0xd800 && bits <= 0xdfff)) {
		return 0;
	}
	*code = bits;
	return n;
}
