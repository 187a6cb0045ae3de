#include "suppress_row.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "suppressions.h"

static const struct {
	const char *name;
	enum suppress_column column;
} names[] = {
	{ "address", SUPPRESS_ADDRESS },
	{ "email", SUPPRESS_ADDRESS },
	{ "subaccount", SUPPRESS_SUB },
	{ "reason", SUPPRESS_REASON },
	{ "detail", SUPPRESS_DETAIL },
	{ "created", SUPPRESS_CREATED },
	{ "created_at", SUPPRESS_CREATED },
	{ "expires", SUPPRESS_EXPIRES },
	{ "expires_at", SUPPRESS_EXPIRES },
	{ "last_event", SUPPRESS_LAST },
	{ "last_event_at", SUPPRESS_LAST },
	{ "count", SUPPRESS_COUNT },
};

void
suppress_header_none(struct suppress_header *h)
{
	for (size_t i = 0; i < SUPPRESS_COLUMNS; i++) {
		h->at[i] = -1;
	}
	h->at[SUPPRESS_ADDRESS] = 0;
}

bool
suppress_header_parse(
    const struct str *fields, size_t n, struct suppress_header *h)
{
	struct suppress_header found;

	suppress_header_none(&found);
	found.at[SUPPRESS_ADDRESS] = -1;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < array_len(names); j++) {
			if (str_eq_case(
				str_trim(fields[i]), str_of(names[j].name))) {
				found.at[names[j].column] = (int)i;
			}
		}
	}
	if (found.at[SUPPRESS_ADDRESS] < 0) {
		return false;
	}
	*h = found;
	return true;
}

/* ---- times ---------------------------------------------------------------
 */

void
suppress_time_print(uint64_t us, char *dst)
{
	time_t t = (time_t)(us / US_PER_S);
	struct tm tm = { 0 };
	size_t n = 0;

	dst[0] = '\0';
	if (us == 0 || gmtime_r(&t, &tm) == NULL) {
		return;
	}
	n = strftime(dst, SUPPRESS_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	if (us % US_PER_S != 0) {
		n += (size_t)snprintf(dst + n, SUPPRESS_TIME_SIZE - n, ".%06u",
		    (unsigned)(us % US_PER_S));
	}
	snprintf(dst + n, SUPPRESS_TIME_SIZE - n, "Z");
}

/* ".000001Z", "Z" or nothing, behind the seconds. */
static int
parse_fraction(struct str s, uint64_t *us)
{
	uint64_t n = 0;
	size_t digits;

	if (s.len > 0 && s.p[s.len - 1] == 'Z') {
		s.len--;
	}
	*us = 0;
	if (s.len == 0) {
		return 0;
	}
	digits = s.len - 1;
	if (s.p[0] != '.' || digits > 6 ||
	    str_u64((struct str){ s.p + 1, digits }, 999999, &n) < 0) {
		return -EINVAL;
	}
	for (; digits < 6; digits++) {
		n *= 10;
	}
	*us = n;
	return 0;
}

int
suppress_time_parse(struct str s, uint64_t *us)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%d" };
	char text[SUPPRESS_TIME_SIZE];

	if (s.len >= sizeof(text)) {
		return -EINVAL;
	}
	str_copy(text, sizeof(text), s);
	for (size_t i = 0; i < array_len(forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);
		uint64_t fraction;
		time_t at;

		if (end == NULL || parse_fraction(str_of(end), &fraction) < 0) {
			continue;
		}
		at = timegm(&tm);
		if (at < 0 || at > UINT32_MAX * 100LL) {
			return -EINVAL;
		}
		*us = (uint64_t)at * US_PER_S + fraction;
		return 0;
	}
	return -EINVAL;
}

/* ---- rows ----------------------------------------------------------------
 */

static struct str
field_of(const struct suppress_header *h, const struct str *fields, size_t n,
    enum suppress_column column)
{
	int at = h->at[column];

	return at >= 0 && (size_t)at < n ? str_trim(fields[at])
					 : (struct str){ 0 };
}

/* Something, then one @, then something; as smtpd compares them. */
static bool
is_address(struct str s)
{
	const char *at = s.len > 0 ? memrchr(s.p, '@', s.len) : NULL;

	if (at == NULL || at == s.p || at == s.p + s.len - 1 ||
	    s.len > SUPPRESSION_ADDRESS_MAX) {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127) {
			return false;
		}
	}
	return true;
}

static bool
is_reason(struct str s)
{
	enum suppression_reason r;

	return str_is(s, SUPPRESSION_ALLOW) || suppression_parse(s, &r) == 0;
}

static bool
take_time(struct str s, uint64_t *us)
{
	return s.len == 0 || suppress_time_parse(s, us) == 0;
}

const char *
suppress_row_parse(const struct suppress_header *h, const struct str *fields,
    size_t n, struct suppress_row *row)
{
#define FIELD(c) field_of(h, fields, n, SUPPRESS_##c)
	struct str reason = FIELD(REASON);
	struct str detail = FIELD(DETAIL);
	uint64_t count = row->e.count;

	row->address = FIELD(ADDRESS);
	row->sub = FIELD(SUB);
	if (!is_address(row->address)) {
		return "no address";
	}
	if (reason.len > 0) {
		row->e.reason = reason;
		row->e.expires_us = 0;
	}
	if (detail.len > 0) {
		row->e.detail = detail;
	}
	if (!is_reason(row->e.reason)) {
		return "no such reason";
	}
	if (row->e.detail.len > 512) {
		return "the detail is longer than 512 bytes";
	}
	if (!take_time(FIELD(CREATED), &row->e.created_us) ||
	    !take_time(FIELD(EXPIRES), &row->e.expires_us) ||
	    !take_time(FIELD(LAST), &row->e.last_us) ||
	    (FIELD(COUNT).len > 0 &&
		str_u64(FIELD(COUNT), UINT32_MAX, &count) < 0)) {
		return "a time or number cannot be read";
	}
	row->e.count = (uint32_t)count;
	return NULL;
#undef FIELD
}
