#include <errno.h>
#include <limits.h>
#include <string.h>

#include "shaping.h"

#define TIME_MAX_S (366u * 86400u)
#define COUNT_MAX 1000000000u
#define CONNECTIONS_MAX 65535u
#define NEAR 4u /* letters that a misspelt name may differ in */

enum kind { NUMBER, SECONDS, RATE, TIMES };

static const struct limit {
	const char *name;
	enum kind kind;
	size_t off;
	uint32_t max;
} limits[] = {
	{ "connections", NUMBER, offsetof(struct shaping_limits, connections),
	    CONNECTIONS_MAX },
	{ "connection_rate", RATE,
	    offsetof(struct shaping_limits, connection_rate), 0 },
	{ "messages", RATE, offsetof(struct shaping_limits, messages), 0 },
	{ "recipients", RATE, offsetof(struct shaping_limits, recipients), 0 },
	{ "messages_per_connection", NUMBER,
	    offsetof(struct shaping_limits, conn_messages), COUNT_MAX },
	{ "seconds_per_connection", SECONDS,
	    offsetof(struct shaping_limits, conn_seconds), 0 },
	{ "window_start", NUMBER, offsetof(struct shaping_limits, window_start),
	    CONNECTIONS_MAX },
	{ "window_limit", NUMBER, offsetof(struct shaping_limits, window_limit),
	    CONNECTIONS_MAX },
	{ "retry", TIMES, offsetof(struct shaping_limits, retry_s), 0 },
};

static const struct {
	char letter;
	uint32_t seconds;
} units[] = { { 'w', 604800 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 },
	{ 's', 1 } };

int
shaping_time(struct str s, uint32_t *seconds)
{
	uint64_t factor = 1;
	uint64_t n = 1;

	if (s.len == 0) {
		return -EINVAL;
	}
	for (size_t i = 0; i < array_len(units); i++) {
		if (s.p[s.len - 1] == units[i].letter) {
			factor = units[i].seconds;
			s.len--;
			break;
		}
	}
	if (s.len != 0 && str_u64(s, TIME_MAX_S, &n) < 0) {
		return -EINVAL;
	}
	if (n == 0 || n * factor > TIME_MAX_S) {
		return -EINVAL;
	}
	*seconds = (uint32_t)(n * factor);
	return 0;
}

void
shaping_time_print(uint32_t seconds, struct buf *out)
{
	for (size_t i = 0; i < array_len(units); i++) {
		if (seconds % units[i].seconds == 0) {
			buf_printf(out, "%u%c", seconds / units[i].seconds,
			    units[i].letter);
			return;
		}
	}
}

static const struct limit *
limit_find(struct str name)
{
	for (size_t i = 0; i < array_len(limits); i++) {
		if (str_is(name, limits[i].name)) {
			return &limits[i];
		}
	}
	return NULL;
}

const char *
shaping_limit_near(const char *name)
{
	const char *best = NULL;
	unsigned least = NEAR;

	for (size_t i = 0; i < array_len(limits); i++) {
		unsigned d = str_distance(name, limits[i].name);

		if (d < least) {
			least = d;
			best = limits[i].name;
		}
	}
	return best;
}

/* ---- values ------------------------------------------------------------- */

static int
take_number(struct str s, uint32_t max, uint32_t *out)
{
	uint64_t n;

	if (str_u64(s, max, &n) < 0 || n == 0) {
		return -EINVAL;
	}
	*out = (uint32_t)n;
	return 0;
}

/* "100/1h", "100/1h/10". */
static int
take_rate(struct str s, struct shaping_rate *out)
{
	struct shaping_rate r = { 0 };
	struct str part;

	if (!str_split(&s, '/', &part) ||
	    take_number(part, COUNT_MAX, &r.n) < 0 ||
	    !str_split(&s, '/', &part) || shaping_time(part, &r.per_s) < 0) {
		return -EINVAL;
	}
	if (s.len != 0 &&
	    (take_number(s, COUNT_MAX, &r.burst) < 0 || r.burst > r.n / 2)) {
		return -EINVAL;
	}
	*out = r;
	return 0;
}

/* "5m 10m 1h", or with commas. */
static int
take_times(struct str s, struct shaping_limits *l)
{
	uint32_t n = 0;

	while (s.len != 0) {
		size_t len = 0;

		while (len < s.len && strchr(" \t,", s.p[len]) == NULL) {
			len++;
		}
		if (len != 0) {
			if (n == SHAPING_RETRIES ||
			    shaping_time(
				(struct str){ s.p, len }, &l->retry_s[n]) < 0) {
				return -EINVAL;
			}
			n++;
		}
		len += len < s.len;
		s = (struct str){ s.p + len, s.len - len };
	}
	l->nretry = n;
	return n != 0 ? 0 : -EINVAL;
}

static void
describe(const struct limit *d, struct buf *why)
{
	switch (d->kind) {
	case NUMBER:
		buf_printf(why, "must be a number from 1 to %u", d->max);
		break;
	case SECONDS:
		buf_puts(why, "must be a time from 1s to 366d, such as 5m");
		break;
	case RATE:
		buf_puts(why,
		    "must be NUMBER/TIME or NUMBER/TIME/BURST, such as 100/1h "
		    "or 100/1h/5, with BURST at most half of NUMBER");
		break;
	case TIMES:
		buf_puts(why, "must be up to 32 times, such as 5m 15m 1h");
		break;
	}
}

static int
take_value(struct shaping_limits *l, const struct limit *d, struct str value)
{
	void *at = (char *)l + d->off;

	switch (d->kind) {
	case NUMBER:
		return take_number(value, d->max, at);
	case SECONDS:
		return shaping_time(value, at);
	case RATE:
		return take_rate(value, at);
	case TIMES:
		return take_times(value, l);
	}
	return -EINVAL;
}

int
shaping_limits_take(struct shaping_limits *l, struct str name, struct str value,
    struct buf *why)
{
	const struct limit *d = limit_find(name);
	struct shaping_limits next = *l;

	if (d == NULL) {
		return -ENOENT;
	}
	if (take_value(&next, d, value) < 0) {
		describe(d, why);
		return -EINVAL;
	}
	*l = next;
	return 0;
}

/* One "NAME=VALUE". */
static int
take_word(struct shaping_limits *l, struct str word, struct buf *why)
{
	struct str value = word;
	struct str name;
	char safe[80];
	int r = -ENOENT;

	if (str_split(&value, '=', &name) && name.len != word.len) {
		r = shaping_limits_take(l, name, value, why);
	}
	if (r == -ENOENT) {
		const char *near =
		    shaping_limit_near(str_safe(safe, sizeof(safe), name));

		buf_printf(why, "%s: is not NAME=VALUE of a limit",
		    str_safe(safe, sizeof(safe), word));
		if (near != NULL) {
			buf_printf(why, "; did you mean %s=?", near);
		}
	} else if (r < 0) {
		buf_printf(why, ": %s", str_safe(safe, sizeof(safe), word));
	}
	return r < 0 ? -EINVAL : 0;
}

int
shaping_limits_parse(
    struct shaping_limits *l, struct str words, struct buf *why)
{
	struct str word;
	bool is_any = false;

	while (str_split(&words, ' ', &word)) {
		word = str_trim(word);
		if (word.len == 0) {
			continue;
		}
		if (take_word(l, word, why) < 0) {
			return -EINVAL;
		}
		is_any = true;
	}
	if (!is_any) {
		buf_puts(why, "no limit is given: NAME=VALUE");
	}
	return is_any ? 0 : -EINVAL;
}

static void
print_value(
    const struct shaping_limits *l, const struct limit *d, struct buf *out)
{
	const void *at = (const char *)l + d->off;
	const struct shaping_rate *r = at;

	switch (d->kind) {
	case NUMBER:
		buf_printf(out, "%u", *(const uint32_t *)at);
		break;
	case SECONDS:
		shaping_time_print(*(const uint32_t *)at, out);
		break;
	case RATE:
		buf_printf(out, "%u/", r->n);
		shaping_time_print(r->per_s, out);
		if (r->burst != 0) {
			buf_printf(out, "/%u", r->burst);
		}
		break;
	case TIMES:
		for (uint32_t i = 0; i < l->nretry; i++) {
			buf_puts(out, i == 0 ? "" : ",");
			shaping_time_print(l->retry_s[i], out);
		}
		break;
	}
}

/* Every kind of value begins with a number that is 0 when not set. */
static bool
is_set(const struct shaping_limits *l, const struct limit *d)
{
	uint32_t first;

	memcpy(&first, (const char *)l + d->off, sizeof(first));
	return first != 0;
}

void
shaping_limits_print(const struct shaping_limits *l, struct buf *out)
{
	const char *between = "";

	for (size_t i = 0; i < array_len(limits); i++) {
		if (is_set(l, &limits[i])) {
			buf_printf(out, "%s%s=", between, limits[i].name);
			print_value(l, &limits[i], out);
			between = " ";
		}
	}
}

/* ---- two sets together -------------------------------------------------- */

static size_t
size_of(const struct limit *d)
{
	switch (d->kind) {
	case NUMBER:
	case SECONDS:
		return sizeof(uint32_t);
	case RATE:
		return sizeof(struct shaping_rate);
	case TIMES:
		return sizeof(((struct shaping_limits *)NULL)->retry_s);
	}
	return 0;
}

static void
replace(struct shaping_limits *l, const struct shaping_limits *over,
    const struct limit *d)
{
	memcpy((char *)l + d->off, (const char *)over + d->off, size_of(d));
	if (d->kind == TIMES) {
		l->nretry = over->nretry;
	}
}

void
shaping_limits_replace(
    struct shaping_limits *l, const struct shaping_limits *over)
{
	for (size_t i = 0; i < array_len(limits); i++) {
		if (is_set(over, &limits[i])) {
			replace(l, over, &limits[i]);
		}
	}
}

void
shaping_limits_clear(
    struct shaping_limits *l, const struct shaping_limits *other)
{
	static const struct shaping_limits none;

	for (size_t i = 0; i < array_len(limits); i++) {
		if (is_set(other, &limits[i])) {
			replace(l, &none, &limits[i]);
		}
	}
}

/* Whether b lets less through than a, which is set too. */
static bool
is_stricter(const struct shaping_limits *a, const struct shaping_limits *b,
    const struct limit *d)
{
	const void *x = (const char *)a + d->off;
	const void *y = (const char *)b + d->off;

	if (d->kind == RATE) {
		const struct shaping_rate *ra = x;
		const struct shaping_rate *rb = y;

		return (uint64_t)rb->n * ra->per_s <
		    (uint64_t)ra->n * rb->per_s;
	}
	if (d->kind == TIMES) {
		return b->retry_s[0] > a->retry_s[0];
	}
	return *(const uint32_t *)y < *(const uint32_t *)x;
}

void
shaping_limits_tighten(
    struct shaping_limits *l, const struct shaping_limits *with)
{
	for (size_t i = 0; i < array_len(limits); i++) {
		const struct limit *d = &limits[i];

		if (is_set(with, d) &&
		    (!is_set(l, d) || is_stricter(l, with, d))) {
			replace(l, with, d);
		}
	}
}
