#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "smtp_path.h"

/* What was parsed prints, and the print parses and prints the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char once[SMTP_PATH_PRINT_MAX], twice[SMTP_PATH_PRINT_MAX];
	struct smtp_path path, again;
	unsigned flags;
	ssize_t n;

	if (size == 0) {
		return 0;
	}
	flags = data[0];
	if (smtp_path_parse((const char *)data + 1, size - 1, flags, &path) <
	    0) {
		return 0;
	}
	n = smtp_path_print(&path, once, sizeof(once));
	assert(n >= 0 && memchr(once, '\r', (size_t)n) == NULL);
	assert(smtp_mailbox_parse(once, (size_t)n, flags, &again) == 0);
	assert(again.is_literal == path.is_literal);
	assert(smtp_path_print(&again, twice, sizeof(twice)) == n);
	assert(strcmp(once, twice) == 0);
	return 0;
}
