#include <assert.h>
#include <string.h>

#include "ckp.h"
#include "fuzz.h"

/* What is read from a checkpoint is written again as a record that reads the
 * same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union {
		uint8_t bytes[CKP_STRUCT_MAX];
		uint64_t align;
	} first = { 0 }, second = { 0 };
	struct buf once = { 0 }, twice = { 0 };

	if (size == 0 ||
	    ckp_decode(data[0],
		(struct str){ (const char *)data + 1, size - 1 }, &first) < 0) {
		return 0;
	}
	ckp_encode(&once, data[0], &first);
	assert(ckp_decode(data[0], buf_str(&once), &second) == 0);
	ckp_encode(&twice, data[0], &second);
	assert(once.len == twice.len &&
	    (once.len == 0 || memcmp(once.p, twice.p, once.len) == 0));
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
