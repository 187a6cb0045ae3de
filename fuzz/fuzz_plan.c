#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "plan.h"

/* A plan that was read is written to something that reads as the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct buf once = { 0 };
	struct buf twice = { 0 };
	struct plan_host h;

	while (plan_host_next(&in, &h)) {
		plan_host_add(&once, &h);
	}
	in = buf_str(&once);
	while (plan_host_next(&in, &h)) {
		plan_host_add(&twice, &h);
	}
	assert(in.len == 0);
	assert(once.len == twice.len);
	assert(once.len == 0 || memcmp(once.p, twice.p, once.len) == 0);
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
