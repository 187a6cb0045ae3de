/*
 * MTA-STS (RFC 8461): what a domain's TXT record and its policy say. Both
 * come from strangers.
 */
#ifndef RESOLVD_STS_POLICY_H
#define RESOLVD_STS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "ask.h"
#include "attr.h"
#include "buf.h"
#include "plan.h"
#include "str.h"

/* RFC 8461 section 3.1: 1 to 32 letters and digits, and a NUL. */
#define STS_ID_SIZE 33

/* RFC 8461 section 3.2: a year, seconds. */
#define STS_MAX_AGE_S 31557600

/* Patterns of one policy; more is no honest policy. */
#define STS_MX_MAX 128

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age_s;
	struct buf mx; /* patterns in lower case, with commas between */
};

/*
 * The id of the one valid record among the TXT records at _mta-sts.DOMAIN.
 * Returns 0; -ENOENT when there is none, more than one, or a malformed one
 * (RFC 8461 section 3.1), and also when the question failed: *id is
 * untouched then.
 */
int sts_record_id(const struct answer *a, char id[STS_ID_SIZE]) MUST_CHECK;

/* Is it an id as records have them? */
bool sts_id_is_valid(struct str id);

/*
 * Reads a policy (RFC 8461 section 3.2): lines that end in LF or CRLF.
 * Unknown keys are passed over, of keys that stand twice (but mx) the first
 * counts, and max_age is cut to STS_MAX_AGE_S.
 *
 * Returns 0 and a policy that sts_policy_fini frees; -EBADMSG, and *why says
 * what is wrong; *out is untouched then.
 */
int sts_policy_parse(
    struct str text, struct sts_policy *out, const char **why) MUST_CHECK;
void sts_policy_fini(struct sts_policy *p);

/* Does it name the host? A wildcard stands for exactly one label (RFC 8461
 * section 4.1). */
bool sts_policy_has(const struct sts_policy *p, struct str host);

/* Takes over the patterns of a policy as mx has them, checking each. Returns
 * 0 or -EBADMSG; *out is untouched then. */
int sts_mx_parse(struct str list, struct buf *out) MUST_CHECK;

/* "none", "testing", "enforce". */
const char *sts_mode_name(enum sts_mode mode);
int sts_mode_parse(struct str name, enum sts_mode *out) MUST_CHECK;

#endif
