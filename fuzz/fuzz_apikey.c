#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "apikey.h"
#include "fuzz.h"
#include "names.h"
#include "networks.h"

/* What a client sends to log in: an id that was read is printed in the
 * password, a name that was read is put together to the same, and no bytes
 * match a record. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str text = { (const char *)data, size };
	const struct schema_key none = { 0 };
	char number[16];
	struct name n;
	uint32_t id;

	if (apikey_id(text, &id) == 0) {
		snprintf(number, sizeof(number), "%u_", id);
		assert(memmem(data, size, number, strlen(number)) != NULL);
	}
	assert(!apikey_matches(&none, text));
	if (name_parse(text, &n) == 0) {
		assert(n.account.len + n.sub.len + (n.sub.len > 0) == size);
		assert(name_is_valid(n.account));
	}
	assert(!networks_contain(STR("203.0.113.7/32"), text) || size >= 11);
	return 0;
}
