/*
 * Addresses that must not get mail: of a whole account (subaccount 0), or of
 * one subaccount. An address counts in lower case, local part included.
 */
#ifndef ACCOUNTD_SUPPRESSIONS_H
#define ACCOUNTD_SUPPRESSIONS_H

#include <stdint.h>

#include "attr.h"
#include "schema.h"
#include "store.h"

#define SUPPRESSION_ADDRESS_MAX 1024

/*
 * Is the address suppressed now, for the account or the subaccount (0: none)?
 * Returns 1, 0, or -EIO.
 */
int suppressions_find(struct store *s, uint32_t account, uint32_t subaccount,
    struct str address, uint64_t now_us) MUST_CHECK;

/* Adds or replaces an entry. As store_put; -EINVAL: too long an address. */
int suppressions_put(struct store_txn *t, uint32_t account, uint32_t subaccount,
    struct str address, const struct schema_suppression *entry) MUST_CHECK;

/*
 * Removes up to max entries of an account (with all its subaccounts), or of
 * one subaccount. Returns how many; 0: no more; -errno.
 */
int suppressions_purge(
    struct store *s, uint32_t account, uint32_t subaccount, int max) MUST_CHECK;

#endif
