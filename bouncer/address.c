#include "address.h"

#include <string.h>
#include <strings.h>

#include "attr.h"

/* RFC 5321 section 4.5.3.1, with room for what is not quite one. */
#define LOCAL_MAX 128
#define DOMAIN_MAX 255

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static bool
is_local(unsigned char c)
{
	return is_alnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+/=?^_`{|}~.-", c) != NULL);
}

static bool
is_domain(unsigned char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_';
}

/* Where the local part that ends before at begins; at: there is none. */
static size_t
local_begin(struct str s, size_t at, size_t floor)
{
	size_t i = at;

	if (i > floor && s.p[i - 1] == '"') {
		for (i--; i > floor && at - i < LOCAL_MAX; i--) {
			if (s.p[i - 1] == '"' &&
			    (i < 2 || s.p[i - 2] != '\\')) {
				return i - 1;
			}
			if (s.p[i - 1] == '\n') {
				break;
			}
		}
		return at;
	}
	while (i > floor && at - i < LOCAL_MAX &&
	    is_local((unsigned char)s.p[i - 1])) {
		i--;
	}
	return i;
}

/* Marks around an address that could be part of it, but never are. */
static size_t
skip_marks(struct str s, size_t begin, size_t at)
{
	static const char *const prefixes[] = {
		"smtp=", "rfc822=", "mailto=", "to=", "rcpt="
	};

	for (size_t i = begin; i < at; i++) {
		for (size_t k = 0; k < array_len(prefixes); k++) {
			size_t n = strlen(prefixes[k]);

			if (at - i > n &&
			    strncasecmp(s.p + i, prefixes[k], n) == 0 &&
			    (i == begin ||
				!is_alnum((unsigned char)s.p[i - 1]))) {
				return i + n;
			}
		}
	}
	while (begin < at && strchr("'.*=`|", s.p[begin]) != NULL) {
		begin++;
	}
	return begin;
}

/* Text in other scripts may follow without a blank; a top-level domain is all
 * ASCII or not at all. */
static size_t
cut_domain(struct str s, size_t at, size_t end)
{
	const char *dot = memrchr(s.p + at, '.', end - at);
	size_t label = dot != NULL ? (size_t)(dot + 1 - s.p) : at;

	for (size_t i = label; i < end; i++) {
		if ((unsigned char)s.p[i] >= 0x80 &&
		    (unsigned char)s.p[label] < 0x80) {
			return i;
		}
	}
	return end;
}

static size_t
domain_end(struct str s, size_t at)
{
	size_t i = at;

	if (i < s.len && s.p[i] == '[') {
		while (i < s.len && i - at < 60 && s.p[i] != ']' &&
		    s.p[i] != '\n') {
			i++;
		}
		return i < s.len && s.p[i] == ']' ? i + 1 : at;
	}
	while (i < s.len && i - at < DOMAIN_MAX &&
	    is_domain((unsigned char)s.p[i])) {
		i++;
	}
	while (i > at && strchr(".-_", s.p[i - 1]) != NULL) {
		i--;
	}
	return cut_domain(s, at, i);
}

bool
address_next(struct str text, size_t *at, struct str *out)
{
	size_t from = *at;

	while (from < text.len) {
		const char *p = memchr(text.p + from, '@', text.len - from);
		size_t i, begin, end;

		if (p == NULL) {
			break;
		}
		i = (size_t)(p - text.p);
		begin = skip_marks(text, local_begin(text, i, *at), i);
		end = domain_end(text, i + 1);
		if (begin < i && end > i + 1 &&
		    memchr(text.p + i + 1, '.', end - i - 1) != NULL) {
			*out = (struct str){ text.p + begin, end - begin };
			*at = end;
			return true;
		}
		from = i + 1;
	}
	*at = text.len;
	return false;
}

/* Behind "rfc822;", as often as it stands there. */
static struct str
without_type(struct str s)
{
	for (int i = 0; i < 2; i++) {
		const char *semi = memchr(s.p, ';', s.len);
		const char *at = memchr(s.p, '@', s.len);

		if (semi == NULL || (at != NULL && at < semi)) {
			break;
		}
		s = str_trim(
		    (struct str){ semi + 1, s.len - (size_t)(semi + 1 - s.p) });
	}
	return s;
}

/* RFC 5321 appendix C: "@one,@two:local@domain" */
static struct str
without_route(struct str s)
{
	const char *colon;

	if (s.len == 0 || s.p[0] != '@') {
		return s;
	}
	colon = memchr(s.p, ':', s.len);
	if (colon == NULL) {
		return s;
	}
	return (struct str){ colon + 1, s.len - (size_t)(colon + 1 - s.p) };
}

bool
address_of_field(struct str value, struct str *out)
{
	const char *lt;
	struct str s;
	size_t at = 0;

	if (value.len == 0) {
		return false;
	}
	s = without_type(str_trim(value));
	lt = memchr(s.p, '<', s.len);
	if (lt != NULL) {
		const char *gt = memchr(lt, '>', s.len - (size_t)(lt - s.p));

		s = str_trim((struct str){ lt + 1,
		    (size_t)((gt != NULL ? gt : s.p + s.len) - lt - 1) });
	}
	s = without_route(s);
	if (address_next(s, &at, out)) {
		return true;
	}
	at = 0;
	while (at < s.len && s.p[at] != ' ' && s.p[at] != '(') {
		at++;
	}
	*out = (struct str){ s.p, at };
	return at > 0;
}

bool
address_eq(struct str a, struct str b)
{
	return str_eq_case(a, b);
}

struct str
address_local(struct str address)
{
	const char *at = memrchr(address.p, '@', address.len);

	return at != NULL ? (struct str){ address.p, (size_t)(at - address.p) }
			  : address;
}

struct str
address_domain(struct str address)
{
	const char *at = memrchr(address.p, '@', address.len);
	size_t n;

	if (at == NULL) {
		return (struct str){ "", 0 };
	}
	n = (size_t)(at + 1 - address.p);
	return (struct str){ at + 1, address.len - n };
}

bool
address_is_role(struct str address)
{
	static const char *const names[] = { "mailer-daemon", "postmaster",
		"mail-daemon", "mdaemon", "maildaemon", "post_master",
		"mail.delivery.system", "mailerdaemon" };
	struct str local = address_local(address);

	for (size_t i = 0; i < array_len(names); i++) {
		if (local.len == strlen(names[i]) &&
		    strncasecmp(local.p, names[i], local.len) == 0) {
			return true;
		}
	}
	return false;
}
