#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "smtp_reply.h"

/* However the bytes are cut, the same replies and errors come out. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct smtp_reply_limits limits = { 40, 6 };
	const char *p = (const char *)data;
	struct smtp_reply_parser whole, cut;
	char a[60], b[60];
	size_t i = 0, j = 0, used;
	int r = 0, q;

	smtp_reply_init(&whole, &limits, a, sizeof(a));
	smtp_reply_init(&cut, &limits, b, sizeof(b));
	while (i < size && r >= 0) {
		r = smtp_reply_feed(&whole, p + i, size - i, &used);
		i += used;
		for (q = 0; j < size && q == 0; j += used) {
			q = smtp_reply_feed(&cut, p + j, 1, &used);
		}
		assert(q == r && i == j);
		if (r > 0) {
			assert(whole.reply.code == cut.reply.code);
			assert(whole.reply.code >= 200);
			assert(whole.reply.code <= 599);
			assert(whole.reply.lines <= limits.lines);
			assert(whole.reply.text_len == cut.reply.text_len);
			assert(memcmp(a, b, cut.reply.text_len) == 0);
		}
	}
	return 0;
}
