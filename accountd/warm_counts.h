/*
 * What warming source addresses have sent to each provider on the latest day
 * there was any, in memory and in the store; and which message went over
 * which of them, in case of a complaint. Written by the transaction that the
 * caller gives.
 */
#ifndef ACCOUNTD_WARM_COUNTS_H
#define ACCOUNTD_WARM_COUNTS_H

#include <stdint.h>

#include "attr.h"
#include "store.h"
#include "uuid.h"
#include "warmup.h"

struct warm_counts;

/* Providers of all addresses together that are told apart in a day; what is
 * beyond them is counted as one, without a name. */
#define WARM_COUNTS_MAX 20000

/* Loads all that the store has. 0 or -errno. */
int warm_counts_load(struct store *s, struct warm_counts **out) MUST_CHECK;
void warm_counts_free(struct warm_counts **w);

/* The counts of address and provider on that day since 1970, made when they
 * are not there; those of a day before are begun anew. NULL: of a day after
 * it there are some already. They will be written. */
struct warmup_count *warm_counts_change(
    struct warm_counts *w, struct str ip, struct str provider, uint32_t day);

/* Appends what there is of the address on that day to *out, array elements
 * of struct warmup_count whose names are valid until the next change. */
void warm_counts_of(
    const struct warm_counts *w, struct str ip, uint32_t day, struct buf *out);

/* Writes what has changed. 0, or as store_put: then it is still to be
 * written. */
int warm_counts_write(struct warm_counts *w, struct store_txn *t) MUST_CHECK;
/* After the commit. */
void warm_counts_written(struct warm_counts *w);

/* Removes those of days before that one, and deliveries before before_us,
 * some at a time. 1: there are more; 0; or as store_put. No transaction may be
 * open. */
int warm_counts_purge(
    struct warm_counts *w, uint32_t day, uint64_t before_us) MUST_CHECK;

/* Remembers a delivery. 0 or as store_put. */
int warm_counts_sent(struct warm_counts *w, struct store_txn *t,
    const struct uuid *msgid, uint16_t rcpt, struct str ip,
    struct str provider) MUST_CHECK;
/* A complaint about it, on that day. 0, also when nothing is remembered; or
 * as store_get. */
int warm_counts_complaint(struct warm_counts *w, struct store_txn *t,
    const struct uuid *msgid, uint16_t rcpt, uint32_t day) MUST_CHECK;

#endif
