#include <assert.h>
#include <stdint.h>

#include "fuzz.h"
#include "reply_class.h"

/*
 * Whatever a text says: only a permanent reply condemns an address, never one
 * before RCPT, and what condemns it is not worth another attempt.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned codes[] = { 0, 421, 450, 550, 554 };
	struct reply_question q = { .text = { (const char *)data, size } };
	struct reply_answer a;

	for (unsigned phase = REPLY_CONNECT; phase <= REPLY_REPORT;
	     phase <<= 1) {
		for (size_t i = 0; i < array_len(codes); i++) {
			q.code = codes[i];
			q.phase = (enum reply_phase)phase;
			reply_class(NULL, &q, &a);
			assert((unsigned)a.reason < REASON_N);
			assert(
			    !a.is_hard || (!a.is_retry && phase >= REPLY_RCPT));
			assert(codes[i] == 0 || codes[i] >= 500 || !a.is_hard);
		}
	}
	return 0;
}
