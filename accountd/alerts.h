/*
 * What an account is warned about. A rule is on from one threshold and over
 * only behind another, so that one matter is one alert and one all-clear.
 */
#ifndef ACCOUNTD_ALERTS_H
#define ACCOUNTD_ALERTS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "schema.h"
#include "tally.h"

/* Stored as bits of a tally: new ones go to the end of either part. */
enum alert {
	ALERT_BOUNCE_RATE,
	ALERT_COMPLAINT_RATE,
	ALERT_REPUTATION,
	ALERT_QUOTA,
	ALERT_RISE,
	ALERT_QUEUE_AGE,
	ALERTS_JUDGED, /* those before are judged by their values ... */
	/* ... these are told by whoever knows, and only on or off here. */
	ALERT_DOMAIN = ALERTS_JUDGED,
	ALERT_SOURCE,
	ALERT_NETWORK,
	ALERT_SECURITY,
	ALERTS,
};

/* A limit of 0 turns its rule off. */
struct alert_rules {
	uint64_t volume; /* less mail has no rate and does not rise */
	/* Percent; of ten thousand; score, below it; percent of the quota of
	 * the hour; times the usual hour; seconds; then 0 or 1. */
	uint64_t limit[ALERTS];
};

/* What is watched. */
struct alert_facts {
	uint64_t delivered; /* of today and yesterday */
	uint64_t bounces;
	uint64_t complaints;
	int64_t score_milli;
	uint64_t sent;	    /* recipients of this hour */
	uint64_t quota;	    /* 0: none */
	uint64_t sent_long; /* of this hour or the one before */
	uint64_t usual_milli;
	uint32_t usual_hours;
	bool is_queue_known;
	uint64_t queue_s; /* age of the oldest queued message */
};

const char *alert_name(enum alert a);
/* ALERTS when there is none. */
enum alert alert_parse(struct str name);

/* The rules that are on now, given those that were. */
uint32_t alerts_judge(const struct alert_rules *rules,
    const struct alert_facts *f, uint32_t was_on);

/* One line about a judged rule, for people. */
void alert_print(enum alert a, const struct alert_rules *rules,
    const struct alert_facts *f, struct buf *out);

/* ---- limits of an account's own ------------------------------------------ */

/* The account's limit, of its record, in *limit. False: it has none. */
bool alert_own_limit(
    const struct schema_account *r, enum alert a, uint64_t *limit);

/*
 * Sets it from text: a number, "yes" or "no", a time as "4h" (by the rule);
 * empty: the parameter's again. -EINVAL with one line in *error.
 */
int alert_set_limit(struct schema_account *r, enum alert a, struct str text,
    struct buf *error) MUST_CHECK;

/* A limit as it is written. */
void alert_print_limit(enum alert a, uint64_t limit, struct buf *out);

#endif
