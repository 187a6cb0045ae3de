/*
 * Verdicts agree with themselves, hide no line ends, and do not depend on how
 * lines end.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "fuzz.h"
#include "report.h"

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

static void
check_crlf(const uint8_t *data, size_t size, const struct report *lf)
{
	struct buf b = { 0 };
	struct report r;

	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			buf_u8(&b, '\r');
		}
		buf_u8(&b, data[i]);
	}
	report_parse(b.p, b.len, &r);
	assert(r.kind == lf->kind && r.n_rcpts == lf->n_rcpts);
	report_fini(&r);
	buf_fini(&b);
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
	if (size < 65536 && memchr(data, '\r', size) == NULL) {
		check_crlf(data, size, &r);
	}
	report_fini(&r);
	return 0;
}
