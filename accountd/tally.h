/*
 * What an account or a subaccount has sent and what became of it: counters
 * for the current hour, day, week (from Monday), month and for ever, in UTC;
 * and the ledger of its reputation, counts per day. A pure struct: time is
 * that of the events.
 */
#ifndef ACCOUNTD_TALLY_H
#define ACCOUNTD_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "str.h"

/* Stored by number: new ones go to the end. */
enum tally_counter {
	TALLY_SENT, /* recipients accepted */
	TALLY_DELIVERED,
	TALLY_BOUNCES,
	TALLY_SOFT_BOUNCES,
	TALLY_DEFERRALS,
	TALLY_COMPLAINTS,
	TALLY_UNSUBSCRIBES,
	TALLY_BLOCKED,
	TALLY_RATE_LIMITED,
	TALLY_COUNTERS,
};

enum tally_period {
	TALLY_HOUR,
	TALLY_DAY,
	TALLY_WEEK,
	TALLY_MONTH,
	TALLY_TOTAL,
	TALLY_PERIODS,
};

/* What moves the reputation. Stored by number as well. */
enum tally_entry {
	TALLY_ENTRY_DELIVERY,
	TALLY_ENTRY_BOUNCE,
	TALLY_ENTRY_COMPLAINT,
	TALLY_ENTRY_UNSUBSCRIBE,
	TALLY_ENTRIES,
};

/* Days of the ledger that are kept. */
#define TALLY_DAYS 30

struct tally_day {
	uint32_t day; /* since 1970-01-01 */
	uint32_t n[TALLY_ENTRIES];
};

struct tally {
	/* Which hour, day ... since 1970 the counters are of. */
	uint32_t number[TALLY_PERIODS];
	uint64_t counts[TALLY_COUNTERS][TALLY_PERIODS];
	struct tally_day days[TALLY_DAYS]; /* oldest first */
	unsigned n_days;
	uint32_t alerts_on; /* bit per rule of alerts.h */
	/* Recipients of a usual hour, in thousandths, and of how many hours
	 * with mail that is known; and those of the hour before the counts'. */
	uint64_t usual_milli;
	uint32_t usual_hours;
	uint64_t last_sent;
};

const char *tally_counter_name(enum tally_counter c);
const char *tally_period_name(enum tally_period p);
const char *tally_entry_name(enum tally_entry e);

/* The day, hour ... that a moment is in, counted from 1970. */
uint32_t tally_number(enum tally_period p, uint64_t time_us);

void tally_add(
    struct tally *t, enum tally_counter c, uint64_t time_us, uint64_t n);
/* The count of the period that now is in. */
uint64_t tally_get(const struct tally *t, enum tally_counter c,
    enum tally_period p, uint64_t now_us);

/*
 * Recipients of this hour or, if they were more, of the hour before: what has
 * begun in an hour does not end with it. is_lasting false: of this hour.
 */
uint64_t tally_hour_sent(
    const struct tally *t, uint64_t now_us, bool is_lasting);

/* Books an entry in the ledger. */
void tally_book(struct tally *t, enum tally_entry e, uint64_t time_us);

/* The entries of the last days, today included. */
uint64_t tally_recent(
    const struct tally *t, enum tally_entry e, unsigned days, uint64_t now_us);

/* The stored form; parse: -EBADMSG when it is none. */
void tally_print(const struct tally *t, struct buf *out);
int tally_parse(struct str stored, struct tally *out) MUST_CHECK;

#endif
