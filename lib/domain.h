/*
 * Domain names and address literals as text: checking, lower case,
 * international names, and who is below whom.
 */
#ifndef LIB_DOMAIN_H
#define LIB_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"

enum {
	DOMAIN_LABEL_MAX = 63, /* bytes, RFC 1035 section 2.3.4 */
	DOMAIN_NAME_MAX = 253, /* bytes in text form without a final dot */
};

enum domain_flag {
	DOMAIN_UNDERSCORE = 1 << 0, /* as in _dmarc.example.org */
};

/*
 * Is it a domain name: labels of letters, digits and inner hyphens
 * (RFC 1123 section 2.1), 1 to 63 bytes, 253 in all, no final dot, and the
 * last label not all digits, which would be an address? A single label is
 * fine. s need not end in NUL.
 *
 * flags   enum domain_flag, or-ed
 */
bool domain_is_valid(const char *s, size_t len, unsigned flags) MUST_CHECK;

/* ASCII letters to lower case, in place; other bytes stay. */
void domain_lower(char *s, size_t len);

/*
 * Turn a name that may have U-labels in UTF-8 into A-labels in lower case
 * (IDNA2008, non-transitional: RFC 5891). Plain ASCII is only checked and
 * lowered, A-labels are not looked into.
 *
 * out, out_size   DOMAIN_NAME_MAX + 1 suffices; NUL-terminated
 * flags           enum domain_flag, or-ed
 *
 * Returns the length in bytes without the NUL; -EBADMSG when it is no
 * domain name or no valid UTF-8; -ENOSPC when out is too small; -ENOMEM.
 * out is undefined on error. Allocates for U-labels only, and frees.
 */
ssize_t domain_to_ascii(const char *s, size_t len, unsigned flags, char *out,
    size_t out_size) MUST_CHECK;

/*
 * Is name equal to parent or a subdomain of it? ASCII case does not
 * matter; neither may end in a dot; an empty parent contains nothing.
 */
bool domain_is_within(const char *name, size_t name_len, const char *parent,
    size_t parent_len) MUST_CHECK;

/* An address; for IPv4 the first four bytes count. Network byte order. */
struct domain_ip {
	int family; /* AF_INET or AF_INET6 */
	uint8_t addr[16];
};

/*
 * Parse an address without brackets: dotted quad, or RFC 4291 section 2.2
 * without zone. Returns 0, or -EBADMSG; *out is untouched then.
 */
int domain_ip_parse(
    const char *s, size_t len, struct domain_ip *out) MUST_CHECK;

/*
 * Parse an SMTP address literal with its brackets, [192.0.2.1] or
 * [IPv6:2001:db8::1] (RFC 5321 section 4.1.3). General literals are
 * refused: none is defined. Returns as domain_ip_parse.
 */
int domain_literal_parse(
    const char *s, size_t len, struct domain_ip *out) MUST_CHECK;

#endif
