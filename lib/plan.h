/*
 * Where mail for a next hop goes: hosts in order of preference with their
 * addresses, as resolvd found them. Encoded for plan_rep and addr_rep.
 */
#ifndef LIB_PLAN_H
#define LIB_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

enum dns_status {
	DNS_OK = 0,
	DNS_NXDOMAIN = 1,   /* permanent, 5.1.2 */
	DNS_NULL_MX = 2,    /* permanent, 5.1.10 (RFC 7505) */
	DNS_NO_ADDRESS = 3, /* permanent, 5.4.4: no MX host has an address */
	DNS_LOOP = 4,	    /* permanent, 5.4.6: the best MX is this system */
	DNS_TEMPORARY = 5,  /* SERVFAIL, bogus, time-out: 4.4.3 */
	DNS_BAD_NAME = 6,   /* permanent, 5.1.2: not a domain name */
	DNS_NOT_PUBLIC = 7, /* permanent, 5.4.4: smtp_address_policy */
	DNS_REFUSED = 8,    /* permanent, error: of routes.cf; made by qmgr */
};

enum check_status {
	CHECK_OK = 0,
	CHECK_MISSING = 1,
	CHECK_WRONG = 2,
	CHECK_TEMPORARY = 3, /* cannot tell now */
	CHECK_SKIPPED = 4,
};

/* What the policy of a domain asks for (MTA-STS, RFC 8461 section 5). */
enum sts_mode {
	STS_NONE = 0, /* there is no policy, or it asks for nothing */
	STS_TESTING = 1,
	STS_ENFORCE = 2,
};

/* Its id (RFC 8461 section 3.1), bytes. */
#define PLAN_STS_ID_MAX 32

#define PLAN_HOSTS_MAX 32
#define PLAN_ADDRESSES_MAX 16

struct plan_address {
	uint8_t family; /* 4 or 6 */
	uint8_t b[16];	/* network order; 4 bytes for family 4 */
};

struct plan_tlsa {
	uint8_t usage, selector, matching;
	struct str data;
};

#define PLAN_TLSA_MAX 16

struct plan_host {
	struct str name;
	uint16_t pref;
	bool is_secure; /* addresses and TLSA are DNSSEC-validated */
	/* Of the TLSA question: DNS_NXDOMAIN: there are none, or not validated
	 * ones; DNS_OK with n_tlsa 0: there are, but none is well formed;
	 * DNS_TEMPORARY: the host must be left alone (RFC 7672 section 2.1). */
	uint8_t tlsa_status;
	bool is_sts_refused; /* the domain's policy does not name it */
	/* Where its TLSA records are when that is not its name: its alias's
	 * end (RFC 7672 section 2.2.2); empty: at name. */
	struct str tlsa_name;
	uint8_t n_addresses;
	uint8_t n_tlsa;
	struct plan_address addresses[PLAN_ADDRESSES_MAX];
	struct plan_tlsa tlsa[PLAN_TLSA_MAX];
};

void plan_host_add(struct buf *plan, const struct plan_host *h);
/* Takes the first host off *plan. False at the end or when malformed. */
bool plan_host_next(struct str *plan, struct plan_host *out);

/* "192.0.2.1" or "2001:db8::1"; dst has 46 bytes. */
void plan_address_print(const struct plan_address *a, char *dst);

#endif
