#include "crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

static uint32_t table[256];

static void __attribute__((constructor)) make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++) {
			c = (c & 1) != 0 ? c >> 1 ^ POLYNOMIAL : c >> 1;
		}
		table[i] = c;
	}
}

static uint32_t
update_table(uint32_t crc, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
	}
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
update_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc;

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
	}
	crc = (uint32_t)c;
	for (; n != 0; p++, n--) {
		crc = __builtin_ia32_crc32qi(crc, *p);
	}
	return crc;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	crc = ~crc;
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2")) {
		return ~update_sse42(crc, p, n);
	}
#endif
	return ~update_table(crc, p, n);
}
