#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "domain.h"
#include "fuzz.h"

/* What becomes an A-label name is valid, lower case and stays itself. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char once[DOMAIN_NAME_MAX + 1], twice[DOMAIN_NAME_MAX + 1];
	const char *s = (const char *)data;
	struct domain_ip ip;
	ssize_t n;

	if (domain_literal_parse(s, size, &ip) == 0) {
		assert(!domain_is_valid(s, size, DOMAIN_UNDERSCORE));
	}
	n = domain_to_ascii(s, size, 0, once, sizeof(once));
	if (n < 0) {
		return 0;
	}
	assert(domain_is_valid(once, (size_t)n, 0));
	assert(domain_is_within(once, (size_t)n, once, (size_t)n));
	assert(domain_to_ascii(once, (size_t)n, 0, twice, sizeof(twice)) == n);
	assert(strcmp(once, twice) == 0);
	return 0;
}
