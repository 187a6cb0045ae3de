#include "ehlo.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "attr.h"
#include "smtp_reply.h"

struct word {
	const char *p;
	size_t len;
};

static const struct {
	const char *name;
	enum ehlo_cap cap;
} plain_caps[] = {
	{ "PIPELINING", EHLO_PIPELINING },
	{ "8BITMIME", EHLO_8BITMIME },
	{ "SMTPUTF8", EHLO_SMTPUTF8 },
	{ "STARTTLS", EHLO_STARTTLS },
	{ "CHUNKING", EHLO_CHUNKING },
	{ "DSN", EHLO_DSN },
	{ "ENHANCEDSTATUSCODES", EHLO_ENHANCEDSTATUSCODES },
	{ "REQUIRETLS", EHLO_REQUIRETLS },
};

static bool
is_word(struct word w, const char *name)
{
	return w.len == strlen(name) && strncasecmp(w.p, name, w.len) == 0;
}

/* Take the text up to sep off *p; skips sep. */
static struct word
take_until(const char **p, const char *end, char sep)
{
	const char *at = memchr(*p, sep, (size_t)(end - *p));
	struct word w = { .p = *p };

	w.len = (size_t)((at != NULL ? at : end) - *p);
	*p = at != NULL ? at + 1 : end;
	return w;
}

/* All digits? A number too big for 64 bits is the largest. */
static bool
read_number(struct word w, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w.len; i++) {
		uint64_t digit = (uint64_t)(unsigned char)w.p[i] - '0';

		if (digit > 9) {
			return false;
		}
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, digit, &n)) {
			n = UINT64_MAX;
		}
	}
	*out = n;
	return w.len > 0;
}

static void
read_size(struct ehlo *e, const char *p, const char *end)
{
	struct word value = take_until(&p, end, ' ');
	uint64_t size = 0;

	/* RFC 1870 section 4: without a value, no limit is told. */
	if ((e->caps & EHLO_SIZE) == 0 &&
	    (value.len == 0 || read_number(value, &size))) {
		e->caps |= EHLO_SIZE;
		e->size = size;
	}
}

static void
read_auth(struct ehlo *e, const char *p, const char *end)
{
	while (p < end) {
		struct word w = take_until(&p, end, ' ');

		if (is_word(w, "PLAIN")) {
			e->caps |= EHLO_AUTH_PLAIN;
		} else if (is_word(w, "LOGIN")) {
			e->caps |= EHLO_AUTH_LOGIN;
		}
	}
}

/* RFC 9422 section 3: NAME=number, between spaces. */
static void
read_limits(struct ehlo *e, const char *p, const char *end)
{
	e->caps |= EHLO_LIMITS;
	while (p < end) {
		struct word value = take_until(&p, end, ' ');
		const char *rest = value.p;
		const char *value_end = value.p + value.len;
		struct word name = take_until(&rest, value_end, '=');
		uint64_t n;

		value.p = rest;
		value.len = (size_t)(value_end - rest);
		if (!read_number(value, &n)) {
			continue;
		}
		if (is_word(name, "RCPTMAX")) {
			e->rcpt_max = n;
		} else if (is_word(name, "MAILMAX")) {
			e->mail_max = n;
		}
	}
}

static void
read_line(struct ehlo *e, const char *p, const char *end)
{
	struct word name = take_until(&p, end, ' ');

	if (is_word(name, "SIZE")) {
		read_size(e, p, end);
	} else if (is_word(name, "AUTH")) {
		read_auth(e, p, end);
	} else if (is_word(name, "LIMITS")) {
		read_limits(e, p, end);
	} else if (name.len > 5 && strncasecmp(name.p, "AUTH=", 5) == 0) {
		read_auth(e, name.p + 5, end);
	}
	for (size_t i = 0; i < array_len(plain_caps); i++) {
		if (is_word(name, plain_caps[i].name)) {
			e->caps |= plain_caps[i].cap;
		}
	}
}

void
ehlo_parse(const char *text, size_t len, struct ehlo *out)
{
	const char *p = text;
	const char *end = text + len;
	struct ehlo e = { 0 };

	(void)take_until(&p, end, SMTP_REPLY_SEPARATOR); /* the greeting */
	while (p < end) {
		struct word line = take_until(&p, end, SMTP_REPLY_SEPARATOR);

		read_line(&e, line.p, line.p + line.len);
	}
	*out = e;
}
