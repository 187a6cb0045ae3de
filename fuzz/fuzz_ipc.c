/* Whatever decodes must encode to the same bytes again. */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "ipc.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(16) uint8_t rec[IPC_STRUCT_MAX];
	struct str packet = { (const char *)data, size };
	struct ipc_head head;
	struct buf again = { 0 };

	while (ipc_decode(&packet, ~0u, ~0u, &head, rec) == 0) {
		const uint8_t *end = (const uint8_t *)packet.p;
		int r =
		    ipc_encode(&again, (enum ipc_type)head.type, head.id, rec);

		assert(r == 0 && again.len == head.len + IPC_HEAD_SIZE);
		assert(memcmp(again.p, end - again.len, again.len) == 0);
		again.len = 0;
	}
	buf_fini(&again);
	return 0;
}
