#include "time_parse.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "str.h"

#define SECOND 1000000ULL

static int
relative(struct str s, uint64_t now_us, uint64_t *out)
{
	static const char units[] = "smhdw";
	static const uint64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	const char *unit;
	uint64_t n;

	if (s.len < 2) {
		return -EINVAL;
	}
	unit = strchr(units, s.p[s.len - 1]);
	if (unit == NULL || *unit == '\0' ||
	    str_u64((struct str){ s.p, s.len - 1 }, 1000000000, &n) < 0) {
		return -EINVAL;
	}
	n *= seconds[unit - units] * SECOND;
	*out = n < now_us ? now_us - n : 0;
	return 0;
}

static int
absolute(const char *text, uint64_t *out)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
		"%Y-%m-%d" };

	for (size_t i = 0; i < array_len(forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);
		time_t t;

		if (end == NULL ||
		    (strcmp(end, "") != 0 && strcmp(end, "Z") != 0)) {
			continue;
		}
		t = timegm(&tm);
		if (t < 0) {
			return -EINVAL;
		}
		*out = (uint64_t)t * SECOND;
		return 0;
	}
	return -EINVAL;
}

int
time_parse(const char *text, uint64_t now_us, uint64_t *out)
{
	uint64_t n;

	if (text[0] == '@') {
		if (str_u64(str_of(text + 1), UINT32_MAX, &n) < 0) {
			return -EINVAL;
		}
		*out = n * SECOND;
		return 0;
	}
	if (relative(str_of(text), now_us, out) == 0) {
		return 0;
	}
	return absolute(text, out);
}
