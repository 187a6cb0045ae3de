#include "expiry.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "clock.h"

#define SPAN_MAX_S (200ULL * 366 * 86400)

int
expiry_span(struct str s, uint64_t *out)
{
	static const char units[] = "smhdw";
	static const uint64_t seconds[] = { 1, 60, 3600, 86400, 7 * 86400 };
	const char *unit;
	uint64_t n;

	if (s.len < 2) {
		return -EINVAL;
	}
	unit = memchr(units, s.p[s.len - 1], sizeof(units) - 1);
	s.len--;
	if (unit == NULL || str_u64(s, SPAN_MAX_S, &n) < 0) {
		return -EINVAL;
	}
	n *= seconds[unit - units];
	if (n > SPAN_MAX_S) {
		return -EINVAL;
	}
	*out = n * US_PER_S;
	return 0;
}

static int
parse_date(struct str s, uint64_t *out)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ" };
	char text[32];
	time_t at;

	if (s.len >= sizeof(text)) {
		return -EINVAL;
	}
	str_copy(text, sizeof(text), s);
	for (size_t i = 0; i < array_len(forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);

		if (end == NULL || *end != '\0') {
			continue;
		}
		at = timegm(&tm);
		if (at < 0) {
			return -EINVAL;
		}
		*out = (uint64_t)at * US_PER_S;
		return 0;
	}
	return -EINVAL;
}

int
expiry_parse(struct str s, uint64_t now_us, uint64_t *out)
{
	uint64_t at;

	if (expiry_span(s, &at) == 0) {
		at += now_us;
	} else if (parse_date(s, &at) < 0) {
		return -EINVAL;
	}
	if (at <= now_us) {
		return -ERANGE;
	}
	*out = at;
	return 0;
}
