#include "tally.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "schema.h"

#define HOUR_S 3600u
#define DAY_S 86400u
/* 1970-01-01 was a Thursday: three days after a Monday. */
#define DAYS_AFTER_MONDAY 3u
/* An hour moves what is usual by this part of the difference, and counts at
 * most as so many usual ones: a flood is not learned while it lasts. */
#define USUAL_PART 24
#define USUAL_CAP 4

const char *
tally_counter_name(enum tally_counter c)
{
	static const char *const names[TALLY_COUNTERS] = {
		[TALLY_SENT] = "sent",
		[TALLY_DELIVERED] = "delivered",
		[TALLY_BOUNCES] = "bounces",
		[TALLY_SOFT_BOUNCES] = "soft_bounces",
		[TALLY_DEFERRALS] = "deferrals",
		[TALLY_COMPLAINTS] = "complaints",
		[TALLY_UNSUBSCRIBES] = "unsubscribes",
		[TALLY_BLOCKED] = "blocked",
		[TALLY_RATE_LIMITED] = "rate_limited",
	};

	return names[c];
}

const char *
tally_period_name(enum tally_period p)
{
	static const char *const names[TALLY_PERIODS] = {
		[TALLY_HOUR] = "hour",
		[TALLY_DAY] = "day",
		[TALLY_WEEK] = "week",
		[TALLY_MONTH] = "month",
		[TALLY_TOTAL] = "total",
	};

	return names[p];
}

const char *
tally_entry_name(enum tally_entry e)
{
	static const char *const names[TALLY_ENTRIES] = {
		[TALLY_ENTRY_DELIVERY] = "delivery",
		[TALLY_ENTRY_BOUNCE] = "bounce",
		[TALLY_ENTRY_COMPLAINT] = "complaint",
		[TALLY_ENTRY_UNSUBSCRIBE] = "unsubscribe",
	};

	return names[e];
}

static uint32_t
month_of(uint64_t s)
{
	time_t t = (time_t)s;
	struct tm tm = { 0 };

	(void)gmtime_r(&t, &tm); /* fails after the year 2^31 only */
	return (uint32_t)(tm.tm_year - 70) * 12 + (uint32_t)tm.tm_mon;
}

uint32_t
tally_number(enum tally_period p, uint64_t time_us)
{
	uint64_t s = time_us / US_PER_S;

	switch (p) {
	case TALLY_HOUR:
		return (uint32_t)(s / HOUR_S);
	case TALLY_DAY:
		return (uint32_t)(s / DAY_S);
	case TALLY_WEEK:
		return (uint32_t)((s / DAY_S + DAYS_AFTER_MONDAY) / 7);
	case TALLY_MONTH:
		return month_of(s);
	case TALLY_TOTAL:
	case TALLY_PERIODS:
		break;
	}
	return 0;
}

/* The hour of the counts is over: what was sent in it was usual, or not. */
static void
learn_hour(struct tally *t, uint32_t next)
{
	uint64_t sent = t->counts[TALLY_SENT][TALLY_HOUR];
	uint64_t cap = t->usual_milli * USUAL_CAP;
	uint64_t milli = sent * 1000;

	t->last_sent = t->number[TALLY_HOUR] + 1 == next ? sent : 0;
	if (sent == 0) {
		return; /* nights say nothing about the days */
	}
	if (t->usual_hours >= USUAL_PART && milli > cap) {
		milli = cap;
	}
	if (t->usual_hours < UINT32_MAX) {
		t->usual_hours++;
	}
	if (t->usual_hours < USUAL_PART) {
		t->usual_milli =
		    (t->usual_milli * (t->usual_hours - 1) + milli) /
		    t->usual_hours;
	} else {
		t->usual_milli =
		    (t->usual_milli * (USUAL_PART - 1) + milli) / USUAL_PART;
	}
}

uint64_t
tally_hour_sent(const struct tally *t, uint64_t now_us, bool is_lasting)
{
	uint32_t hour = tally_number(TALLY_HOUR, now_us);
	uint64_t sent = tally_get(t, TALLY_SENT, TALLY_HOUR, now_us);
	uint64_t before = 0;

	if (t->number[TALLY_HOUR] == hour) {
		before = t->last_sent;
	} else if (t->number[TALLY_HOUR] + 1 == hour) {
		before = t->counts[TALLY_SENT][TALLY_HOUR];
	}
	return is_lasting && before > sent ? before : sent;
}

void
tally_add(struct tally *t, enum tally_counter c, uint64_t time_us, uint64_t n)
{
	for (unsigned p = 0; p < TALLY_PERIODS; p++) {
		uint32_t number = tally_number((enum tally_period)p, time_us);

		if (number > t->number[p]) {
			if (p == TALLY_HOUR) {
				learn_hour(t, number);
			}
			t->number[p] = number;
			for (unsigned i = 0; i < TALLY_COUNTERS; i++) {
				t->counts[i][p] = 0;
			}
		}
		/* An event of a period that is over counts in longer ones. */
		if (number == t->number[p]) {
			t->counts[c][p] += n;
		}
	}
}

uint64_t
tally_get(const struct tally *t, enum tally_counter c, enum tally_period p,
    uint64_t now_us)
{
	return t->number[p] == tally_number(p, now_us) ? t->counts[c][p] : 0;
}

/* ---- the ledger ----------------------------------------------------------
 */

/* The row of a day; NULL: it is older than all that are kept. */
static struct tally_day *
day_row(struct tally *t, uint32_t day)
{
	unsigned at = t->n_days;

	while (at > 0 && t->days[at - 1].day > day) {
		at--;
	}
	if (at > 0 && t->days[at - 1].day == day) {
		return &t->days[at - 1];
	}
	if (t->n_days == TALLY_DAYS) {
		if (at == 0) {
			return NULL;
		}
		at--;
		memmove(t->days, t->days + 1, at * sizeof(*t->days));
	} else {
		memmove(t->days + at + 1, t->days + at,
		    (t->n_days - at) * sizeof(*t->days));
		t->n_days++;
	}
	t->days[at] = (struct tally_day){ .day = day };
	return &t->days[at];
}

void
tally_book(struct tally *t, enum tally_entry e, uint64_t time_us)
{
	struct tally_day *d = day_row(t, tally_number(TALLY_DAY, time_us));

	if (d != NULL && d->n[e] < UINT32_MAX) {
		d->n[e]++;
	}
}

uint64_t
tally_recent(
    const struct tally *t, enum tally_entry e, unsigned days, uint64_t now_us)
{
	uint32_t today = tally_number(TALLY_DAY, now_us);
	uint64_t sum = 0;

	for (unsigned i = 0; i < t->n_days; i++) {
		if ((uint64_t)t->days[i].day + days > today) {
			sum += t->days[i].n[e];
		}
	}
	return sum;
}

/* ---- the stored form -----------------------------------------------------
 */

void
tally_print(const struct tally *t, struct buf *out)
{
	struct buf counts = { 0 };
	struct buf days = { 0 };
	struct schema_tally rec = { .alerts_on = t->alerts_on,
		.usual_milli = t->usual_milli,
		.usual_hours = t->usual_hours,
		.last_sent = t->last_sent };

	for (unsigned p = 0; p < TALLY_PERIODS; p++) {
		buf_u64(&counts, t->number[p]);
	}
	for (unsigned c = 0; c < TALLY_COUNTERS; c++) {
		for (unsigned p = 0; p < TALLY_PERIODS; p++) {
			buf_u64(&counts, t->counts[c][p]);
		}
	}
	for (unsigned i = 0; i < t->n_days; i++) {
		buf_u32(&days, t->days[i].day);
		for (unsigned e = 0; e < TALLY_ENTRIES; e++) {
			buf_u32(&days, t->days[i].n[e]);
		}
	}
	rec.counts = buf_str(&counts);
	rec.days = buf_str(&days);
	/* Both blobs are smaller than their rows allow. */
	bug_on(schema_encode(out, SCHEMA_tally, &rec) < 0);
	buf_fini(&counts);
	buf_fini(&days);
}

static uint64_t
take_number(struct str *s, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		v |= (uint64_t)(uint8_t)s->p[i] << 8 * i;
	}
	s->p += n;
	s->len -= n;
	return v;
}

static int
parse_counts(struct str s, struct tally *t)
{
	if (s.len % (8u * TALLY_PERIODS) != 0 || s.len == 0) {
		return -EBADMSG;
	}
	for (unsigned p = 0; p < TALLY_PERIODS; p++) {
		t->number[p] = (uint32_t)take_number(&s, 8);
	}
	/* There are fewer counters in what an older version wrote. */
	for (unsigned c = 0; c < TALLY_COUNTERS && s.len > 0; c++) {
		for (unsigned p = 0; p < TALLY_PERIODS; p++) {
			t->counts[c][p] = take_number(&s, 8);
		}
	}
	return 0;
}

static int
parse_days(struct str s, struct tally *t)
{
	if (s.len % (4u * (1 + TALLY_ENTRIES)) != 0) {
		return -EBADMSG;
	}
	while (s.len > 0 && t->n_days < TALLY_DAYS) {
		struct tally_day *d = &t->days[t->n_days++];

		d->day = (uint32_t)take_number(&s, 4);
		for (unsigned e = 0; e < TALLY_ENTRIES; e++) {
			d->n[e] = (uint32_t)take_number(&s, 4);
		}
	}
	return 0;
}

int
tally_parse(struct str stored, struct tally *out)
{
	struct schema_tally rec;
	struct tally t = { 0 };
	int r = schema_decode(SCHEMA_tally, stored, &rec);

	if (r == 0) {
		r = parse_counts(rec.counts, &t);
	}
	if (r == 0) {
		r = parse_days(rec.days, &t);
	}
	if (r == 0) {
		t.alerts_on = rec.alerts_on;
		t.usual_milli = rec.usual_milli;
		t.usual_hours = rec.usual_hours;
		t.last_sent = rec.last_sent;
		*out = t;
	}
	return r < 0 ? -EBADMSG : 0;
}
