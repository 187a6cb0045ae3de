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
#include "suppress_times.h"

#define SUPPRESSION_ADDRESS_MAX 1024

/* The reason of an address that is never suppressed, whatever happens. */
#define SUPPRESSION_ALLOW "allow"

/*
 * Why is the address suppressed now, for the account or the subaccount (0:
 * none)? An entry that allows it, of either, goes before. Returns a
 * suppression_reason, 0, or -EIO.
 */
int suppressions_find(struct store *s, uint32_t account, uint32_t subaccount,
    struct str address, uint64_t now_us) MUST_CHECK;

/* Adds or replaces an entry. As store_put; -EINVAL: too long an address. */
int suppressions_put(struct store_txn *t, uint32_t account, uint32_t subaccount,
    struct str address, const struct schema_suppression *entry) MUST_CHECK;

/* Reads the entry itself. Its strings point into *value. 0, -ENOENT or -EIO. */
int suppressions_get(struct store *s, struct store_txn *t, uint32_t account,
    uint32_t subaccount, struct str address, struct buf *value,
    struct schema_suppression *entry) MUST_CHECK;

/* Removes an entry; as store_del. */
int suppressions_del(struct store_txn *t, uint32_t account, uint32_t subaccount,
    struct str address) MUST_CHECK;

/* What happened to an address, and when. */
struct suppression_cause {
	enum suppression_reason reason;
	struct str detail;
	uint64_t time_us;
};

/*
 * An event that suppresses the address, for the time that its reason and the
 * number of events before say. An entry made by hand stays, and one that
 * allows the address; an entry never gets shorter. Returns 0 or as store_put;
 * -EINVAL: no address.
 */
int suppressions_event(struct store *s, struct store_txn *t, uint32_t account,
    uint32_t subaccount, struct str address,
    const struct suppression_cause *cause,
    const struct suppress_times *times) MUST_CHECK;

/* Takes the key of an entry apart. -EBADMSG when it is none. */
struct suppression_key {
	uint32_t account;
	uint32_t subaccount;
	struct str address;
};
int suppressions_key_parse(
    struct str key, struct suppression_key *out) MUST_CHECK;

/*
 * Removes up to max entries of an account (with all its subaccounts), or of
 * one subaccount. Returns how many; 0: no more; -errno.
 */
int suppressions_purge(
    struct store *s, uint32_t account, uint32_t subaccount, int max) MUST_CHECK;

#endif
