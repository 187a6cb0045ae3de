#include <assert.h>
#include <string.h>

#include "bounce_cf.h"
#include "fuzz.h"

/* A bounce.cf is taken, or refused with one line that names the file. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply_rules *rules = reply_rules_new();
	struct buf error = { 0 };
	int r = bounce_cf_parse(
	    "f", (struct str){ (const char *)data, size }, rules, &error);

	if (r < 0) {
		assert(error.len > 2 && memcmp(error.p, "f:", 2) == 0);
		assert(memchr(error.p, '\n', error.len) == NULL);
	} else {
		assert(error.len == 0);
	}
	buf_fini(&error);
	reply_rules_free(&rules);
	return 0;
}
