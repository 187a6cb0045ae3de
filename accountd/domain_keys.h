/*
 * A pair of DKIM keys for a sending domain, made by signd: RSA, then Ed25519.
 */
#ifndef ACCOUNTD_DOMAIN_KEYS_H
#define ACCOUNTD_DOMAIN_KEYS_H

#include <stdint.h>

#include "str.h"

struct domain_keys {
	struct str selector1; /* RSA */
	struct str record1;   /* the TXT to publish */
	struct str selector2; /* Ed25519 */
	struct str record2;
};

/* Of a failure keys is NULL, and error a reason for people. Both are valid
 * until it returns. */
typedef void domain_keys_fn(
    void *arg, const struct domain_keys *keys, const char *error);

/*
 * Calls fn once, perhaps before it returns. Keys of these selectors that
 * signd has already are taken as they are.
 */
void domain_keys_make(uint32_t account, struct str domain, struct str selector1,
    struct str selector2, domain_keys_fn *fn, void *arg);

#endif
