/*
 * The DNS records of a sending domain: which to publish, and what their
 * checks mean for its state. Pure functions.
 */
#ifndef ACCOUNTD_RECORDS_H
#define ACCOUNTD_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "ipc.h"
#include "schema.h"

/* The bounce name of a domain is this label under it. */
#define BOUNCE_LABEL "bounces"

#define SELECTOR_SIZE 32

/*
 * The selectors of a new domain, "pb<account>-<yyyymm>r" and "...e": several
 * accounts may own keys for one domain, and each rotation has its month. dst
 * has SELECTOR_SIZE bytes. letter: 'r' for RSA, 'e' for Ed25519.
 */
void records_selector(
    uint32_t account, uint64_t wall_us, char letter, char *dst);

/* What the records need to know of this system. */
struct records_site {
	const char *bounce_domain;
	const char *myhostname;
	const char *sources; /* addresses that we send from, a list */
};

/* One record to publish, with what its last check said. */
struct record {
	/* verification dkim dkim-next dkim-last dkim-remove bounce spf dmarc */
	const char *purpose;
	const char *type;
	bool is_required; /* else it is advice */
	struct buf name;  /* with the final dot */
	struct buf value; /* a TXT without quotes */
	uint8_t status;	  /* enum check_status */
	struct str reason;
};

#define RECORDS_MAX 8

/* Fills out, RECORDS_MAX of them; returns how many. */
size_t records_of(const struct schema_domain *d,
    const struct records_site *site, struct record *out);
void records_fini(struct record *r, size_t n);

/* The name of a check_status, for people and JSON. */
const char *records_status(uint8_t status);
const char *records_state(uint8_t state); /* of a domain */

/*
 * Takes in the result of a check; rep NULL: resolvd did not answer. Strings
 * then point into rep. The domain is verified once its RSA record is right:
 * publishing a key that we made for this account shows control of the domain,
 * as the token does, and without it no signature verifies. What cannot be
 * told now changes nothing; a verified domain fails only after grace_us.
 * Returns whether the state changed.
 */
bool records_judge(struct schema_domain *d, const struct ipc_domain_rep *rep,
    uint64_t now_us, uint64_t grace_us);

#endif
