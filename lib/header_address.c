/* Address lists of RFC 5322 section 3.4, with the obsolete forms. */
#include "header.h"

#include <errno.h>
#include <string.h>

#include "domain.h"
#include "header_word.h"
#include "utf8.h"

struct parser {
	const char *p;
	const char *end;
	struct header_mailbox *out;
	size_t max;
	size_t count;
	bool in_group;
	/* The words since the last delimiter; the last may be a local part. */
	const char *word;
	size_t word_len;
	size_t words;	   /* a local part is exactly one word */
	bool after_domain; /* an address without brackets was just read */
};

static bool
at(const struct parser *s, char c)
{
	return s->p < s->end && *s->p == c;
}

/* Skip a quoted string or comment; s is at its opening character. */
static int
skip_delimited(struct parser *s, char open, char close)
{
	size_t depth = 0;

	while (s->p < s->end) {
		char c = *s->p++;

		if (c == '\\' && s->p < s->end) {
			s->p++;
		} else if (c == close && (open != close || depth > 0)) {
			if (--depth == 0) {
				return 0;
			}
		} else if (c == open) {
			depth++; /* comments nest */
		}
	}
	return -EBADMSG;
}

/* CFWS: white space, folding and comments. */
static int
skip_cfws(struct parser *s)
{
	while (s->p < s->end) {
		if (*s->p == '(') {
			int r = skip_delimited(s, '(', ')');

			if (r < 0) {
				return r;
			}
		} else if (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' ||
		    *s->p == '\n') {
			s->p++;
		} else {
			break;
		}
	}
	return 0;
}

static bool
is_word_char(char c)
{
	return (c & 0x80) != 0 ||
	    (c > ' ' && c <= '~' && strchr("()<>[]:;@\\,\"", c) == NULL);
}

/*
 * Take an atom (dots included), quoted string or encoded word. "a . b" is
 * one word: the obsolete local part of section 4.4.
 */
static int
take_word(struct parser *s)
{
	const char *start = s->p;
	struct header_word encoded;
	bool joins;

	if (header_word_read(s->p, s->end, &encoded)) {
		s->p += encoded.len; /* may hold an '@' */
	} else if (*s->p == '"') {
		int r = skip_delimited(s, '"', '"');

		if (r < 0) {
			return r;
		}
	} else {
		while (s->p < s->end && is_word_char(*s->p)) {
			s->p++;
		}
		if (s->p == start) {
			return -EBADMSG;
		}
	}
	joins =
	    s->words > 0 && (*start == '.' || s->word[s->word_len - 1] == '.');
	if (joins) {
		s->word_len = (size_t)(s->p - s->word);
		return 0;
	}
	s->word = start;
	s->word_len = (size_t)(s->p - start);
	s->words++;
	return 0;
}

/* Copy a domain literal; s is at '['. */
static int
take_literal(struct parser *s, struct header_mailbox *m)
{
	while (s->p < s->end && m->domain_len < HEADER_DOMAIN_MAX) {
		char c = *s->p++;

		if (c <= ' ' || c > '~' || c == '\\') {
			return -EBADMSG;
		}
		m->domain[m->domain_len++] = c;
		if (c == ']') {
			return 0;
		}
	}
	return -EBADMSG;
}

/* Every character of UTF-8, or -EBADMSG: the name goes into logs. */
static int
check_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		size_t n = utf8_read(s + i, len - i, &code);

		if (n == 0 || (code >= 0x7f && code < 0xa0)) {
			return -EBADMSG;
		}
		i += n;
	}
	return 0;
}

/* ASCII names must be names; others only UTF-8, domain_to_ascii decides. */
static int
check_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((s[i] & 0x80) != 0) {
			return check_utf8(s, len);
		}
	}
	return domain_is_valid(s, len, DOMAIN_UNDERSCORE) ? 0 : -EBADMSG;
}

/* Copy a domain: atoms and dots, comments between them dropped. */
static int
take_domain(struct parser *s, struct header_mailbox *m)
{
	bool want_more = true;
	int r = skip_cfws(s);

	m->domain_len = 0;
	if (r < 0) {
		return r;
	}
	if (at(s, '[')) {
		r = take_literal(s, m);
		m->domain[m->domain_len] = '\0';
		return r;
	}
	while (s->p < s->end && is_word_char(*s->p) &&
	    (want_more || *s->p == '.')) {
		while (s->p < s->end && is_word_char(*s->p)) {
			if (m->domain_len == HEADER_DOMAIN_MAX) {
				return -EBADMSG;
			}
			want_more = *s->p == '.';
			m->domain[m->domain_len++] = *s->p++;
		}
		r = skip_cfws(s);
		if (r < 0) {
			return r;
		}
	}
	m->domain[m->domain_len] = '\0';
	domain_lower(m->domain, m->domain_len);
	return check_name(m->domain, m->domain_len);
}

/* '@' after a word: the word was the local part. */
static int
take_address(struct parser *s)
{
	struct header_mailbox *m;

	/* More words would make it unclear who is meant. */
	if (s->words != 1 || s->after_domain) {
		return -EBADMSG;
	}
	if (s->count == s->max) {
		return -E2BIG;
	}
	m = &s->out[s->count++];
	m->local = s->word;
	m->local_len = s->word_len;
	m->is_display = false;
	s->words = 0;
	s->p++;
	return take_domain(s, m);
}

/* Obsolete route "@a,@b:" in brackets, section 4.4; s is at '@' or ','. */
static int
skip_route(struct parser *s)
{
	struct header_mailbox scratch;
	int r = 0;

	while (r == 0 && (at(s, ',') || at(s, '@'))) {
		r = *s->p++ == '@' ? take_domain(s, &scratch) : skip_cfws(s);
	}
	if (r < 0) {
		return r;
	}
	if (!at(s, ':')) {
		return -EBADMSG;
	}
	s->p++;
	return 0;
}

/* An address in angle brackets; s is at '<'. */
static int
take_angle(struct parser *s)
{
	int r;

	if (s->after_domain) {
		/* "a@b <c@d>": the first stands for a name. */
		s->out[s->count - 1].is_display = true;
		s->after_domain = false;
	}
	s->words = 0;
	s->p++;
	r = skip_cfws(s);
	if (r == 0 && (at(s, '@') || at(s, ','))) {
		r = skip_route(s);
	}
	while (r == 0 && (r = skip_cfws(s)) == 0 && s->p < s->end &&
	    *s->p != '@') {
		r = take_word(s);
	}
	if (r == 0) {
		r = at(s, '@') ? take_address(s) : -EBADMSG;
	}
	if (r == 0) {
		r = skip_cfws(s);
	}
	if (r < 0) {
		return r;
	}
	if (!at(s, '>')) {
		return -EBADMSG;
	}
	s->p++;
	r = skip_cfws(s);
	if (r < 0) {
		return r;
	}
	/* Only a delimiter may follow, not a second address. */
	return s->p == s->end || at(s, ',') || at(s, ';') ? 0 : -EBADMSG;
}

/* ',' or ';' or ':' or the end: what was read must be complete. */
static int
take_delimiter(struct parser *s, char c)
{
	if (c == ':') {
		if (s->in_group || s->words == 0 || s->after_domain) {
			return -EBADMSG;
		}
		s->in_group = true;
	} else if (s->words > 0) {
		return -EBADMSG; /* a name without address */
	} else if (c == ';') {
		if (!s->in_group) {
			return -EBADMSG;
		}
		s->in_group = false;
	}
	s->words = 0;
	s->after_domain = false;
	return 0;
}

static int
take_token(struct parser *s)
{
	int r;

	switch (*s->p) {
	case '<':
		return take_angle(s);
	case '@':
		r = take_address(s);
		s->after_domain = r == 0;
		return r;
	case ',':
	case ';':
	case ':':
		return take_delimiter(s, *s->p++);
	default:
		return s->after_domain ? -EBADMSG : take_word(s);
	}
}

int
header_mailboxes(const char *value, size_t len, struct header_mailbox *out,
    size_t max, size_t *count)
{
	struct parser s = {
		.p = value,
		.end = value + len,
		.out = out,
		.max = max,
	};
	int r;

	while ((r = skip_cfws(&s)) == 0 && s.p < s.end) {
		r = take_token(&s);
		if (r < 0) {
			break;
		}
	}
	if (r == 0) {
		r = take_delimiter(&s, '\0');
	}
	if (r < 0 || s.in_group) {
		return r < 0 ? r : -EBADMSG;
	}
	*count = s.count;
	return 0;
}
