/*
 * A policy as resolvd keeps it over restarts, and a failure to fetch one: each
 * is a line of a file to which lines are only appended. Of several about a
 * domain the last policy counts, and a failure until a policy follows.
 *
 *   DOMAIN ID MODE FETCHED MAX_AGE MX,MX... CRC
 *   DOMAIN ID failed TRIED COUNT TEXT... CRC
 *
 * FETCHED and TRIED in seconds since 1970, MAX_AGE in seconds, "-" for no MX,
 * CRC-32C of the line before it in 8 hex digits.
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

/* A text for people about a fetch that failed, bytes with its NUL. */
#define STS_ERROR_SIZE 256

/* The last fetch has failed. */
struct sts_failure {
	char id[STS_ID_SIZE];	    /* of the record that asked for it */
	uint64_t tried_s;	    /* since 1970 */
	uint32_t n;		    /* in a row, at least 1 */
	char error[STS_ERROR_SIZE]; /* one line, as str_safe makes it */
};

/* Appends the line with its LF. */
void sts_line_put(struct buf *out, const struct sts_known *k);

/*
 * Reads a line without its LF. Returns 0 and a policy that sts_policy_fini
 * frees; -EBADMSG when it is damaged, and *out is untouched.
 */
int sts_line_parse(struct str line, struct sts_known *out) MUST_CHECK;

/* The same for failures; nothing needs to be freed. */
void sts_failure_put(
    struct buf *out, const char *domain, const struct sts_failure *f);
int sts_failure_parse(struct str line, char domain[DOMAIN_NAME_MAX + 1],
    struct sts_failure *out) MUST_CHECK;

#endif
