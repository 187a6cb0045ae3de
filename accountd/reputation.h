/*
 * Reputation: a score from 0 to 100 that is the sum of the ledger's lines.
 *
 * A line is the entries of one kind of one day. Each entry has a value (a
 * delivery 100, a bounce, complaint or unsubscribe less than nothing) and a
 * weight that falls from 1 to 0, by the same part each day. The score is the
 * weighted mean of the values, over deliveries and bounces; it begins with an
 * opening line, as if so many entries of a start value were there. So each
 * line has its points, and the points' sum is the score; what is outside of
 * 0 to 100 is taken off by a last line.
 */
#ifndef ACCOUNTD_REPUTATION_H
#define ACCOUNTD_REPUTATION_H

#include <stdint.h>

#include "attr.h"
#include "tally.h"

#define REPUTATION_STEPS_MAX 16

struct reputation_rules {
	unsigned days; /* after so many an entry has no weight, <= TALLY_DAYS */
	unsigned start;	       /* value of the opening line, 0 to 100 */
	unsigned start_volume; /* its entries, >= 1 */
	int32_t value[TALLY_ENTRIES];
	/* Below each score, so many recipients an hour; scores rise. */
	struct {
		unsigned score;
		uint32_t quota;
	} steps[REPUTATION_STEPS_MAX];
	unsigned n_steps;
};

/* "50:2500 75:25000". Returns 0, -EINVAL or -E2BIG. */
int reputation_steps_parse(
    const char *list, struct reputation_rules *out) MUST_CHECK;

enum reputation_line_kind {
	REPUTATION_OPENING,
	REPUTATION_ENTRIES,
	REPUTATION_LIMIT, /* what was outside of 0 to 100 */
};

struct reputation_line {
	enum reputation_line_kind kind;
	uint32_t day;
	enum tally_entry entry;
	uint32_t count;
	unsigned weight_ppm;  /* of each, millionths */
	int64_t points_milli; /* thousandths of a point */
};

/*
 * Calls fn (may be NULL) for each line. Returns the score in thousandths,
 * which is the sum of the lines' points.
 */
int64_t reputation_score(const struct tally *t,
    const struct reputation_rules *rules, uint64_t now_us,
    void (*fn)(void *arg, const struct reputation_line *line), void *arg);

/* Recipients an hour at that score; 0: no limit. */
uint32_t reputation_quota(
    const struct reputation_rules *rules, int64_t score_milli);

#endif
