#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "ehlo.h"
#include "fuzz.h"

/* The greeting line changes nothing; a line at the end takes nothing away. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ehlo e, same, more;
	char text[4096] = "greeting\n";

	if (size > 2048) {
		return 0;
	}
	memcpy(text + 9, data, size);
	ehlo_parse(text, 9 + size, &e);
	memcpy(text, "STARTTLS", 8);
	ehlo_parse(text, 9 + size, &same);
	assert(e.caps == same.caps && e.size == same.size);
	memcpy(text + 9 + size, "\nDSN", 4);
	ehlo_parse(text, 13 + size, &more);
	assert(more.caps == (e.caps | EHLO_DSN));
	assert(more.size == e.size && more.rcpt_max == e.rcpt_max);
	assert((e.caps & EHLO_SIZE) != 0 || e.size == 0);
	return 0;
}
