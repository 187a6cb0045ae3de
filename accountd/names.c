#include "names.h"

#include <errno.h>
#include <string.h>

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool
name_is_valid(struct str s)
{
	if (s.len == 0 || s.len > NAME_LEN_MAX || !is_alnum(s.p[0])) {
		return false;
	}
	for (size_t i = 1; i < s.len; i++) {
		char c = s.p[i];

		if (!is_alnum(c) && c != '.' && c != '_' && c != '-') {
			return false;
		}
	}
	return true;
}

int
name_parse(struct str s, struct name *out)
{
	const char *slash = s.len > 0 ? memchr(s.p, '/', s.len) : NULL;
	struct name n = { s, { 0 } };

	if (slash != NULL) {
		n.account.len = (size_t)(slash - s.p);
		n.sub.p = slash + 1;
		n.sub.len = s.len - n.account.len - 1;
	}
	if (!name_is_valid(n.account) ||
	    (slash != NULL && !name_is_valid(n.sub))) {
		return -EINVAL;
	}
	*out = n;
	return 0;
}
