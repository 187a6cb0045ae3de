#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* Line ends do not matter; verdicts agree with themselves. */
static void
check(const struct report *r)
{
	assert(r->n_rcpts <= REPORT_RCPTS_MAX);
	assert(r->kind != REPORT_OTHER || r->n_rcpts == 0);
	for (size_t i = 0; i < r->n_rcpts; i++) {
		const struct report_rcpt *p = &r->rcpts[i];

		assert(strpbrk(p->address, "\r\n\x1b") == NULL);
		assert(!p->is_hard ||
		    (p->action == REPORT_FAILED && p->is_permanent));
		assert(r->kind != REPORT_DELIVERY || p->status[0] != '\0');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool has_begun;
	struct report r;

	if (!has_begun) {
		report_init();
		has_begun = true;
	}
	report_parse(data, size, &r);
	check(&r);
	report_fini(&r);
	return 0;
}
