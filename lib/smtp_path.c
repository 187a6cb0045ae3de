#include "smtp_path.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "domain.h"
#include "utf8.h"

/* Where the parser stands; p moves towards end. */
struct cursor {
	const char *p;
	const char *end;
	unsigned flags; /* enum smtp_path_flag */
};

static bool
at(const struct cursor *c, char what)
{
	return c->p < c->end && *c->p == what;
}

/* RFC 5322 section 3.2.3; without 8-bit. */
static bool
is_atext(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/*
 * Take one character above 127 (RFC 6531 section 3.3). C1 controls are
 * characters by UTF-8, but nothing an address needs.
 */
static int
take_utf8(struct cursor *c)
{
	uint32_t code = 0;
	size_t n;

	if ((c->flags & SMTP_PATH_UTF8) == 0) {
		return -EILSEQ;
	}
	n = utf8_read(c->p, (size_t)(c->end - c->p), &code);
	if (n == 0 || code < 0xa0) {
		return -EBADMSG;
	}
	c->p += n;
	return 0;
}

/* Quoted-string, RFC 5321 section 4.1.2; c is at the quote. */
static int
take_quoted(struct cursor *c)
{
	c->p++;
	while (c->p < c->end) {
		if (*c->p == '"') {
			c->p++;
			return 0;
		}
		if ((*c->p & 0x80) != 0) {
			int r = take_utf8(c);

			if (r < 0) {
				return r;
			}
			continue;
		}
		if (*c->p == '\\' && c->p + 1 < c->end) {
			c->p++;
		}
		if (*c->p < ' ' || *c->p > '~') {
			return -EBADMSG;
		}
		c->p++;
	}
	return -EBADMSG;
}

/* Dot-string: atoms joined by single dots. */
static int
take_dot_string(struct cursor *c)
{
	bool want_atom = true;

	while (c->p < c->end) {
		if ((*c->p & 0x80) != 0) {
			int r = take_utf8(c);

			if (r < 0) {
				return r;
			}
			want_atom = false;
		} else if (*c->p == '.' && !want_atom) {
			c->p++;
			want_atom = true;
		} else if (is_atext(*c->p)) {
			c->p++;
			want_atom = false;
		} else {
			break;
		}
	}
	return want_atom ? -EBADMSG : 0;
}

static int
take_literal(struct cursor *c)
{
	const char *close = memchr(c->p, ']', (size_t)(c->end - c->p));
	struct domain_ip ip;
	size_t len;

	if (close == NULL) {
		return -EBADMSG;
	}
	len = (size_t)(close - c->p) + 1;
	if (domain_literal_parse(c->p, len, &ip) < 0) {
		return -EBADMSG;
	}
	c->p += len;
	return 0;
}

/*
 * A domain with U-labels can only be checked roughly here: no empty label,
 * no ASCII but letters, digits and hyphens. domain_to_ascii tells the rest
 * when the name is used.
 */
static bool
is_international(const char *s, size_t len)
{
	char before = '.';

	for (size_t i = 0; i < len; i++) {
		if ((s[i] & 0x80) == 0 && s[i] != '.' && s[i] != '-' &&
		    !isalnum((unsigned char)s[i])) {
			return false;
		}
		if (s[i] == '.' && before == '.') {
			return false;
		}
		before = s[i];
	}
	return before != '.';
}

static bool
is_name(const char *s, size_t len, unsigned flags)
{
	bool underscore = (flags & SMTP_PATH_UNDERSCORE) != 0;

	for (size_t i = 0; i < len; i++) {
		if ((s[i] & 0x80) != 0) {
			return is_international(s, len);
		}
	}
	return domain_is_valid(s, len, underscore ? DOMAIN_UNDERSCORE : 0);
}

/* Domain or address literal. */
static int
take_domain(struct cursor *c)
{
	const char *start = c->p;
	size_t len;

	if (at(c, '[')) {
		return take_literal(c);
	}
	while (c->p < c->end) {
		if ((*c->p & 0x80) != 0) {
			int r = take_utf8(c);

			if (r < 0) {
				return r;
			}
		} else if (is_atext(*c->p) || *c->p == '.') {
			c->p++;
		} else {
			break;
		}
	}
	len = (size_t)(c->p - start);
	if (len > SMTP_DOMAIN_MAX) {
		return -EMSGSIZE;
	}
	return is_name(start, len, c->flags) ? 0 : -EBADMSG;
}

/* A-d-l ":", RFC 5321 appendix C: accepted and forgotten. */
static int
skip_route(struct cursor *c)
{
	do {
		int r;

		c->p++; /* '@' first, then ',' */
		if (c->p[-1] == ',') {
			if (!at(c, '@')) {
				return -EBADMSG;
			}
			c->p++;
		}
		r = take_domain(c);
		if (r < 0) {
			return r;
		}
	} while (at(c, ','));
	if (!at(c, ':')) {
		return -EBADMSG;
	}
	c->p++;
	return 0;
}

static bool
is_postmaster(const struct smtp_path *path, unsigned flags)
{
	return (flags & SMTP_PATH_POSTMASTER) != 0 && path->local_len == 10 &&
	    strncasecmp(path->local, "postmaster", 10) == 0;
}

/* Local-part "@" domain; what follows it stays. */
static int
take_mailbox(struct cursor *c, struct smtp_path *out)
{
	struct smtp_path path = { .local = c->p };
	int r;

	r = at(c, '"') ? take_quoted(c) : take_dot_string(c);
	if (r < 0) {
		return r;
	}
	path.local_len = (size_t)(c->p - path.local);
	if (path.local_len > SMTP_LOCAL_MAX) {
		return -EMSGSIZE;
	}
	path.domain = c->p;
	if (!at(c, '@')) {
		*out = path;
		return is_postmaster(&path, c->flags) ? 0 : -EBADMSG;
	}
	c->p++;
	path.domain = c->p;
	path.is_literal = at(c, '[');
	r = take_domain(c);
	if (r < 0) {
		return r;
	}
	path.domain_len = (size_t)(c->p - path.domain);
	*out = path;
	return 0;
}

int
smtp_path_parse_prefix(const char *s, size_t len, unsigned flags,
    struct smtp_path *out, size_t *used)
{
	struct cursor c = { .p = s, .end = s + len, .flags = flags };
	struct smtp_path path = { .local = s + 1, .domain = s + 1 };
	int r = 0;

	if (!at(&c, '<')) {
		return -EBADMSG;
	}
	c.p++;
	if (at(&c, '>') && (flags & SMTP_PATH_NULL) != 0) {
		*out = path;
		*used = 2;
		return 0;
	}
	if (at(&c, '@')) {
		r = skip_route(&c);
	}
	if (r == 0) {
		r = take_mailbox(&c, &path);
	}
	if (r < 0) {
		return r;
	}
	if (!at(&c, '>')) {
		return -EBADMSG;
	}
	c.p++;
	if (c.p - s > SMTP_PATH_MAX) {
		return -EMSGSIZE;
	}
	*out = path;
	*used = (size_t)(c.p - s);
	return 0;
}

int
smtp_path_parse(
    const char *s, size_t len, unsigned flags, struct smtp_path *out)
{
	struct smtp_path path;
	size_t used;
	int r;

	r = smtp_path_parse_prefix(s, len, flags, &path, &used);
	if (r < 0) {
		return r;
	}
	if (used != len) {
		return -EBADMSG;
	}
	*out = path;
	return 0;
}

int
smtp_mailbox_parse(
    const char *s, size_t len, unsigned flags, struct smtp_path *out)
{
	struct cursor c = { .p = s, .end = s + len, .flags = flags };
	struct smtp_path path;
	int r;

	if (len == 0 && (flags & SMTP_PATH_NULL) != 0) {
		*out = (struct smtp_path){ .local = s, .domain = s };
		return 0;
	}
	r = take_mailbox(&c, &path);
	if (r < 0) {
		return r;
	}
	if (c.p != c.end) {
		return -EBADMSG;
	}
	if (len > SMTP_PATH_MAX - 2) { /* the brackets it will travel in */
		return -EMSGSIZE;
	}
	*out = path;
	return 0;
}

ssize_t
smtp_path_local(const struct smtp_path *path, char *out, size_t out_size)
{
	const char *p = path->local;
	const char *end = p + path->local_len;
	size_t n = 0;

	if (path->local_len >= 2 && *p == '"') {
		p++;
		end--;
	}
	while (p < end) {
		if (*p == '\\' && p + 1 < end && path->local[0] == '"') {
			p++;
		}
		if (n == out_size) {
			return -ENOSPC;
		}
		out[n++] = *p++;
	}
	return (ssize_t)n;
}

/* Can the meaning be written without quotes? */
static bool
is_dot_string(const char *s, size_t len)
{
	struct cursor c = { .p = s, .end = s + len, .flags = SMTP_PATH_UTF8 };

	return take_dot_string(&c) == 0 && c.p == c.end;
}

/* Append, counting what does not fit too. */
static void
put(char *out, size_t out_size, size_t *n, char c)
{
	if (*n < out_size) {
		out[*n] = c;
	}
	(*n)++;
}

static ssize_t
print_local(const struct smtp_path *path, char *out, size_t out_size)
{
	char plain[SMTP_LOCAL_MAX];
	ssize_t len = smtp_path_local(path, plain, sizeof(plain));
	size_t n = 0;
	bool quoted;

	if (len < 0) {
		return len;
	}
	quoted = !is_dot_string(plain, (size_t)len);
	if (quoted) {
		put(out, out_size, &n, '"');
	}
	for (ssize_t i = 0; i < len; i++) {
		if (quoted && (plain[i] == '"' || plain[i] == '\\')) {
			put(out, out_size, &n, '\\');
		}
		put(out, out_size, &n, plain[i]);
	}
	if (quoted) {
		put(out, out_size, &n, '"');
	}
	return (ssize_t)n;
}

ssize_t
smtp_path_print(const struct smtp_path *path, char *out, size_t out_size)
{
	size_t n = 0;

	if (path->local_len > 0) {
		ssize_t r = print_local(path, out, out_size);

		if (r < 0) {
			return r;
		}
		n = (size_t)r;
	}
	if (path->domain_len > 0) {
		put(out, out_size, &n, '@');
		for (size_t i = 0; i < path->domain_len; i++) {
			put(out, out_size, &n, path->domain[i]);
		}
	}
	put(out, out_size, &n, '\0');
	return n <= out_size ? (ssize_t)n - 1 : -ENOSPC;
}
