/*
 * A policy as resolvd keeps it over restarts: one line of a file to which
 * lines are only appended; of several about a domain the last one counts.
 *
 *   DOMAIN ID MODE FETCHED MAX_AGE MX,MX... CRC
 *
 * FETCHED in seconds since 1970, MAX_AGE in seconds, "-" for no MX, CRC-32C
 * of the line before it in 8 hex digits.
 */
#ifndef RESOLVD_STS_LINE_H
#define RESOLVD_STS_LINE_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "domain.h"
#include "sts_policy.h"

/* What the file begins with. */
#define STS_FILE_HEAD "packetboat-mta-sts 1\n"

struct sts_known {
	char domain[DOMAIN_NAME_MAX + 1];
	char id[STS_ID_SIZE];
	uint64_t fetched_s; /* since 1970 */
	struct sts_policy policy;
};

/* Appends the line with its LF. */
void sts_line_put(struct buf *out, const struct sts_known *k);

/*
 * Reads a line without its LF. Returns 0 and a policy that sts_policy_fini
 * frees; -EBADMSG when it is damaged, and *out is untouched.
 */
int sts_line_parse(struct str line, struct sts_known *out) MUST_CHECK;

#endif
