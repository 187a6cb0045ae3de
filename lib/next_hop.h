/*
 * Where a message is to go, as text: "example.com" by its MX records, the
 * same with ":port", or "[host]" and "[address]" without them. "smtps:" before
 * it stands for TLS from the first byte (RFC 8314).
 */
#ifndef LIB_NEXT_HOP_H
#define LIB_NEXT_HOP_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "domain.h"
#include "str.h"

struct next_hop {
	char name[DOMAIN_NAME_MAX + 1]; /* A-labels in lower case, or address */
	bool is_address;
	bool has_mx;   /* by MX records */
	bool is_tls;   /* from the first byte */
	uint16_t port; /* 0: the usual one */
};

/* RFC 8314 section 7.3: the port of smtps: unless one is given. */
#define SMTPS_PORT 465

/* Takes "smtps:" off the front; false: it is not there. */
bool next_hop_take_smtps(struct str *s);

/*
 * Reads one. An address may stand in brackets as RFC 5321 section 4.1.3 has
 * it, plainly in brackets, or without any. Returns 0; -EBADMSG when it is
 * none of these. *out is untouched then.
 */
int next_hop_parse(struct str s, struct next_hop *out) MUST_CHECK;

#endif
