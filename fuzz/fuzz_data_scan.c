#include <assert.h>
#include <stdint.h>

#include "data_scan.h"
#include "fuzz.h"

/* How the bytes are cut into chunks changes no fact and no end. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct data_scan whole, cut;
	struct data_scan_step a, b = { 0 };
	size_t used = 0, passed = 0;

	if (size == 0) {
		return 0;
	}
	data_scan_init(&whole, DATA_SCAN_DOT);
	data_scan_init(&cut, DATA_SCAN_DOT);
	a = data_scan_feed(&whole, p, size);
	while (used < size && !b.at_end) {
		size_t n = 1 + data[used] % 97;

		n = n < size - used ? n : size - used;
		b = data_scan_feed(&cut, p + used, n);
		used += b.used;
		passed += b.carry + b.take;
	}
	assert(a.used == used && a.at_end == b.at_end);
	assert(a.take == passed && passed == cut.message_len);
	assert(whole.longest_line == cut.longest_line);
	assert(whole.dot_lines == cut.dot_lines);
	assert(whole.header_len == cut.header_len);
	assert(whole.has_bare_cr == cut.has_bare_cr);
	assert(whole.has_bare_lf == cut.has_bare_lf);
	assert(whole.body_is_8bit == cut.body_is_8bit);
	return 0;
}
