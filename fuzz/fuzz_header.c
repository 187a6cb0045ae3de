#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "header.h"

/* Fields cover the header without gaps; text for people stays text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct header_mailbox m[4];
	struct header_iter it;
	struct header_field f;
	char once[100];
	size_t done = 0;
	size_t n;
	int r;

	header_iter_init(&it, p, size);
	while ((r = header_next(&it, &f)) != 0) {
		assert(f.raw == p + done && f.raw_len > 0);
		done += f.raw_len;
		if (r < 0) {
			continue;
		}
		assert(f.value + f.value_len <= f.raw + f.raw_len);
		n = header_decode(f.value, f.value_len, once, sizeof(once));
		assert(memchr(once, '\n', n) == NULL);
		n = 0;
		if (header_mailboxes(f.value, f.value_len, m, 4, &n) == 0 &&
		    n > 0) {
			assert(m[n - 1].local >= f.value);
			assert(strlen(m[n - 1].domain) == m[n - 1].domain_len);
		}
	}
	assert(done == header_block_len(p, size));
	return 0;
}
