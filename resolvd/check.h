/*
 * Do the records of a sending domain say what they should? Each check reads
 * one answer and has a reason for people: what is there, or what is missing
 * where.
 */
#ifndef RESOLVD_CHECK_H
#define RESOLVD_CHECK_H

#include <stdbool.h>

#include "ask.h"
#include "attr.h"
#include "plan.h"
#include "str.h"

/* As the reasons of domain_rep: 255 bytes and a NUL. */
#define CHECK_REASON_SIZE 256

struct check_result {
	enum check_status status;
	char reason[CHECK_REASON_SIZE];
};

/* Sets both; bytes that are not printable ASCII become '?'. */
void check_set(struct check_result *r, enum check_status status,
    const char *fmt, ...) PRINTF(3, 4);

/* Is one of the TXT records at name the token? */
void check_token(const struct answer *a, const char *name, struct str token,
    struct check_result *out);

/*
 * Is the one key record at name (RFC 6376 section 3.6.1) good for the
 * signatures that go with the expected one: same algorithm, same key, usable
 * for mail with SHA-256? Order of tags, white space and what else it says do
 * not matter.
 */
void check_dkim(const struct answer *a, const char *name, struct str expected,
    struct check_result *out);

/*
 * Does mail for the bounce name come to target? By an alias that leads there,
 * or by an MX record that names target, one of target's MX hosts, or own, the
 * name of this system.
 *
 * a         the answer to the bounce name's MX
 * a_target  the answer to the target's MX
 */
void check_bounce(const struct answer *a, const struct answer *a_target,
    const char *name, const char *target, const char *own,
    struct check_result *out);

/* Is there one DMARC record with a policy (RFC 7489 section 6.3) at name? */
void check_dmarc(
    const struct answer *a, const char *name, struct check_result *out);

/*
 * Is there one SPF record at name that can be evaluated? False: no, and *out
 * says why.
 */
bool check_spf(
    const struct answer *a, const char *name, struct check_result *out);

#endif
