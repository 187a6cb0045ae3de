/*
 * The MTA-STS policies that are known, and those that could not be fetched, by
 * domain: in memory, and in a file of the working directory, so that an
 * attacker who keeps us from fetching gains nothing by a restart (RFC 8461
 * section 10.2), and a server that is down is left alone over restarts too.
 * Those used longest ago go when all together take more than
 * mta_sts_cache_size.
 */
#ifndef RESOLVD_STS_CACHE_H
#define RESOLVD_STS_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "attr.h"
#include "sts_fetch.h"
#include "sts_line.h"

struct sts;

struct sts_entry {
	TAILQ_ENTRY(sts_entry) by_use;
	bool has_policy;	     /* known.id and known.policy are set */
	struct sts_known known;	     /* its domain always */
	struct sts_failure *failure; /* NULL: the last fetch did not fail */
	/* The one under way; the entry stays as long. */
	struct sts_fetch *fetch;     /* NULL: none */
	char wanted_id[STS_ID_SIZE]; /* of the record that asked for it */
	TAILQ_HEAD(, sts) waiting;
};

/* Reads the file; the working directory is ours, the loop runs. */
void sts_cache_start(void);
/* Ends fetches; what was appended is written. */
void sts_cache_stop(void);

/* NULL: nothing is known. */
struct sts_entry *sts_cache_find(const char *domain);
/* The same, made when it is new. */
struct sts_entry *sts_cache_get(const char *domain);

/* Keeps that the fetch that e->wanted_id asked for has failed now, and why. */
void sts_cache_fail(struct sts_entry *e, const char *error);

/* Takes over a policy (which is empty then), fetched now, and keeps it: the
 * last fetch has not failed. */
void sts_cache_store(
    struct sts_entry *e, const char *id, struct sts_policy *policy);

/* Does it have a policy that has not expired? */
bool sts_entry_is_valid(const struct sts_entry *e);
/* When it expires, seconds since 1970. */
uint64_t sts_entry_expires_s(const struct sts_entry *e);
/* Is half of its time over? */
bool sts_entry_is_old(const struct sts_entry *e);

/*
 * How long no fetch for a record with this id should be begun, seconds; 0:
 * now. It is mta_sts_retry_time after a failure, doubled with each further one
 * in a row up to mta_sts_retry_time_limit, but a changed id is tried at once
 * (RFC 8461 section 3.3: the limit is for each version).
 */
uint32_t sts_entry_wait_s(const struct sts_entry *e, const char *id);
/* When that is over for the id that has failed, seconds since 1970. */
uint64_t sts_entry_retry_s(const struct sts_entry *e);

/* All of them, in no order; *at begins with 0. NULL at the end. */
struct sts_entry *sts_cache_next(size_t *at);

#endif
