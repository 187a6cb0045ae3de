#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "return_path.h"

/* Every token comes back; a foreign text is only taken if it is ours. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t key[RETURN_PATH_KEY_LEN] = "fuzz";
	struct return_path_token token = { 0 }, back;
	char local[RETURN_PATH_LOCAL_LEN + 1];
	const char *s = (const char *)data;
	int r;

	r = return_path_parse(key, s, size, &back);
	if (r == 0) {
		assert(return_path_make(key, &back, local) == 0);
		assert(strncasecmp(local, s, size) == 0);
	} else {
		assert(r == -EBADMSG || r == -EKEYREJECTED);
	}
	memcpy(token.message_id, data, size < 16 ? size : 16);
	token.recipient = (uint16_t)size;
	if (size >= 22) {
		memcpy(&token.accept_lsn, data + 16, 6);
	}
	assert(return_path_make(key, &token, local) == 0);
	assert(return_path_parse(key, local, strlen(local), &back) == 0);
	assert(memcmp(token.message_id, back.message_id, 16) == 0);
	assert(back.recipient == token.recipient);
	assert(back.accept_lsn == token.accept_lsn);
	return 0;
}
