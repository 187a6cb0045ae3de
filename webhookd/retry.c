#include "retry.h"

#include <curl/curl.h>
#include <errno.h>

static int
unit_us(char c, uint64_t *us)
{
	static const struct {
		char name;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 } };

	for (size_t i = 0; i < array_len(units); i++) {
		if (units[i].name == c) {
			*us = units[i].seconds * 1000000;
			return 0;
		}
	}
	return -EINVAL;
}

static int
parse_wait(struct str word, uint64_t *us)
{
	uint64_t unit = 1000000;
	uint64_t n = 0;

	if (word.len != 0 && unit_us(word.p[word.len - 1], &unit) == 0) {
		word.len--;
	}
	if (str_u64(word, 100000000, &n) < 0) {
		return -EINVAL;
	}
	*us = n * unit;
	return 0;
}

int
retry_schedule_parse(const char *list, struct retry_schedule *out)
{
	struct str rest = str_of(list);
	struct retry_schedule s = { 0 };

	while (rest.len != 0) {
		struct str word = rest;
		size_t n = 0;

		while (n < rest.len && rest.p[n] != ' ' && rest.p[n] != ',' &&
		    rest.p[n] != '\t') {
			n++;
		}
		word.len = n;
		n += n < rest.len;
		rest.p += n;
		rest.len -= n;
		if (word.len == 0) {
			continue;
		}
		if (s.n == RETRY_STEPS_MAX) {
			return -E2BIG;
		}
		if (parse_wait(word, &s.wait_us[s.n]) < 0) {
			return -EINVAL;
		}
		s.n++;
	}
	if (s.n == 0) {
		return -EINVAL;
	}
	*out = s;
	return 0;
}

uint64_t
retry_wait(const struct retry_schedule *s, unsigned failures, unsigned percent,
    uint32_t random)
{
	unsigned step = failures > s->n ? s->n : failures;
	uint64_t wait = s->wait_us[step > 0 ? step - 1 : 0];
	uint64_t span = wait / 100 * percent;

	if (span == 0) {
		return wait;
	}
	return wait - span + random % (2 * span + 1);
}

int
retry_after_parse(struct str value, uint64_t now_s, uint64_t *seconds)
{
	char text[64];
	time_t at;

	value = str_trim(value);
	if (value.len == 0 || value.len >= sizeof(text)) {
		return -EINVAL;
	}
	if (str_u64(value, UINT64_MAX / 2, seconds) == 0) {
		return 0;
	}
	/* Not digits alone: curl_getdate would take "1e9" for a day. */
	if (value.p[0] < 'A' || value.p[0] > 'Z') {
		return -EINVAL;
	}
	str_copy(text, sizeof(text), value);
	at = curl_getdate(text, NULL);
	if (at < 0) {
		return -EINVAL;
	}
	*seconds = (uint64_t)at > now_s ? (uint64_t)at - now_s : 0;
	return 0;
}
