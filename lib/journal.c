#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void
journal_name(uint32_t number, char *dst)
{
	(void)snprintf(dst, JOURNAL_NAME_SIZE, "%08x.jrn", number);
}

int
journal_name_parse(struct str name, uint32_t *number)
{
	uint8_t b[4];
	struct str hex = { name.p, 8 };

	if (name.len != 12 || memcmp(name.p + 8, ".jrn", 4) != 0 ||
	    str_unhex(b, 4, hex) < 0) {
		return -EINVAL;
	}
	*number = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3];
	return 0;
}
