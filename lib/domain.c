#include "domain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <string.h>
#include <strings.h>

#include "utf8.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_label_char(char c, unsigned flags)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    is_digit(c) || c == '-' ||
	    (c == '_' && (flags & DOMAIN_UNDERSCORE) != 0);
}

static bool
is_label(const char *s, size_t len, unsigned flags)
{
	if (len == 0 || len > DOMAIN_LABEL_MAX || s[0] == '-' ||
	    s[len - 1] == '-') {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (!is_label_char(s[i], flags)) {
			return false;
		}
	}
	return true;
}

bool
domain_is_valid(const char *s, size_t len, unsigned flags)
{
	size_t start = 0;
	bool is_number = true; /* this label */

	if (len == 0 || len > DOMAIN_NAME_MAX) {
		return false;
	}
	for (size_t i = 0; i <= len; i++) {
		if (i < len && s[i] != '.') {
			is_number = is_number && is_digit(s[i]);
			continue;
		}
		if (!is_label(s + start, i - start, flags)) {
			return false;
		}
		start = i + 1;
		if (i < len) {
			is_number = true;
		}
	}
	/* RFC 1123 2.1: a last label of digits would be an address. */
	return !is_number;
}

void
domain_lower(char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] >= 'A' && s[i] <= 'Z') {
			s[i] = (char)(s[i] - 'A' + 'a');
		}
	}
}

/* Convert to A-labels by libidn2; s has bytes above 127. */
static ssize_t
convert_labels(const char *s, size_t len, char *out, size_t out_size)
{
	char text[4 * (DOMAIN_NAME_MAX + 1)];
	char *ascii = NULL;
	size_t n;
	int r;

	if (len >= sizeof(text) || memchr(s, '\0', len) != NULL) {
		return -EBADMSG;
	}
	memcpy(text, s, len);
	text[len] = '\0';
	r = idn2_to_ascii_8z(
	    text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK) {
		return r == IDN2_MALLOC ? -ENOMEM : -EBADMSG;
	}
	n = strlen(ascii);
	if (n < out_size) {
		memcpy(out, ascii, n + 1);
	}
	idn2_free(ascii);
	return n < out_size ? (ssize_t)n : -ENOSPC;
}

ssize_t
domain_to_ascii(
    const char *s, size_t len, unsigned flags, char *out, size_t out_size)
{
	bool is_ascii = true;
	ssize_t n = (ssize_t)len;

	for (size_t i = 0; i < len && is_ascii; i++) {
		is_ascii = (s[i] & 0x80) == 0;
	}
	if (!is_ascii) {
		n = convert_labels(s, len, out, out_size);
		if (n < 0) {
			return n;
		}
	} else if (len < out_size) {
		memcpy(out, s, len);
		out[len] = '\0';
	} else {
		return -ENOSPC;
	}
	/* libidn2 lets through "a_b", "a..b" and spaces. */
	if (!domain_is_valid(out, (size_t)n, flags)) {
		return -EBADMSG;
	}
	domain_lower(out, (size_t)n);
	return n;
}

bool
domain_is_within(
    const char *name, size_t name_len, const char *parent, size_t parent_len)
{
	size_t skip;

	if (parent_len == 0 || name_len < parent_len) {
		return false;
	}
	skip = name_len - parent_len;
	if (strncasecmp(name + skip, parent, parent_len) != 0) {
		return false;
	}
	return skip == 0 || (skip > 1 && name[skip - 1] == '.');
}

int
domain_ip_parse(const char *s, size_t len, struct domain_ip *out)
{
	struct domain_ip ip = { 0 };
	char text[INET6_ADDRSTRLEN];

	if (len == 0 || len >= sizeof(text) || memchr(s, '\0', len) != NULL) {
		return -EBADMSG;
	}
	memcpy(text, s, len);
	text[len] = '\0';
	ip.family = memchr(s, ':', len) != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(ip.family, text, ip.addr) != 1) {
		return -EBADMSG;
	}
	*out = ip;
	return 0;
}

int
domain_literal_parse(const char *s, size_t len, struct domain_ip *out)
{
	static const char tag[] = "IPv6:";
	const size_t tag_len = sizeof(tag) - 1;
	struct domain_ip ip;
	bool is_v6;

	if (len < 2 || s[0] != '[' || s[len - 1] != ']') {
		return -EBADMSG;
	}
	s++;
	len -= 2;
	is_v6 = len > tag_len && strncasecmp(s, tag, tag_len) == 0;
	if (is_v6) {
		s += tag_len;
		len -= tag_len;
	}
	if (domain_ip_parse(s, len, &ip) < 0 ||
	    is_v6 != (ip.family == AF_INET6)) {
		return -EBADMSG;
	}
	*out = ip;
	return 0;
}
