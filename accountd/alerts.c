#include "alerts.h"

/* A rule is over when the value is 20 percent on the good side. */
#define CLEAR_PERCENT 80
#define CLEAR_SCORE 10

static const char *const names[ALERTS] = {
	[ALERT_BOUNCE_RATE] = "bounce_rate",
	[ALERT_COMPLAINT_RATE] = "complaint_rate",
	[ALERT_REPUTATION] = "reputation",
	[ALERT_QUOTA] = "quota",
};

const char *
alert_name(enum alert a)
{
	return names[a];
}

enum alert
alert_parse(struct str name)
{
	unsigned a = 0;

	while (a < ALERTS && !str_is(name, names[a])) {
		a++;
	}
	return (enum alert)a;
}

/* Is part / whole, in units of 1 / scale, at least the limit? */
static bool
reaches(
    uint64_t part, uint64_t whole, uint64_t scale, uint64_t limit, bool was_on)
{
	uint64_t percent = was_on ? CLEAR_PERCENT : 100;

	return part * scale * 100 >= limit * percent * whole;
}

static bool
rate_is_on(const struct alert_rules *rules, const struct alert_facts *f,
    uint64_t part, uint64_t scale, uint64_t limit, bool was_on)
{
	uint64_t whole = f->delivered + f->bounces;

	if (limit == 0 || whole == 0) {
		return false;
	}
	/* With little mail nothing begins and nothing ends. */
	if (whole < rules->volume) {
		return was_on;
	}
	return reaches(part, whole, scale, limit, was_on);
}

static bool
is_on(enum alert a, const struct alert_rules *rules,
    const struct alert_facts *f, bool was_on)
{
	switch (a) {
	case ALERT_BOUNCE_RATE:
		return rate_is_on(
		    rules, f, f->bounces, 100, rules->bounce_rate, was_on);
	case ALERT_COMPLAINT_RATE:
		return rate_is_on(rules, f, f->complaints, 10000,
		    rules->complaint_rate, was_on);
	case ALERT_REPUTATION:
		return rules->reputation != 0 &&
		    f->score_milli <
		    (int64_t)(rules->reputation + (was_on ? CLEAR_SCORE : 0)) *
			1000;
	case ALERT_QUOTA:
		return rules->quota != 0 && f->quota != 0 &&
		    reaches(f->sent, f->quota, 100, rules->quota, was_on);
	case ALERTS:
		break;
	}
	return false;
}

uint32_t
alerts_judge(const struct alert_rules *rules, const struct alert_facts *f,
    uint32_t was_on)
{
	uint32_t on = 0;

	for (unsigned a = 0; a < ALERTS; a++) {
		if (is_on((enum alert)a, rules, f, was_on >> a & 1)) {
			on |= 1u << a;
		}
	}
	return on;
}

void
alert_print(enum alert a, const struct alert_rules *rules,
    const struct alert_facts *f, struct buf *out)
{
	unsigned long long whole = f->delivered + f->bounces;

	switch (a) {
	case ALERT_BOUNCE_RATE:
		buf_printf(out,
		    "%llu of %llu recipients of two days bounced; the limit "
		    "is %llu percent",
		    (unsigned long long)f->bounces, whole,
		    (unsigned long long)rules->bounce_rate);
		break;
	case ALERT_COMPLAINT_RATE:
		buf_printf(out,
		    "%llu complaints about %llu messages of two days; the "
		    "limit is %llu of 10000",
		    (unsigned long long)f->complaints, whole,
		    (unsigned long long)rules->complaint_rate);
		break;
	case ALERT_REPUTATION:
		buf_printf(out, "the reputation is %lld; the limit is %llu",
		    (long long)(f->score_milli / 1000),
		    (unsigned long long)rules->reputation);
		break;
	case ALERT_QUOTA:
		buf_printf(out, "%llu recipients this hour; the quota is %llu",
		    (unsigned long long)f->sent, (unsigned long long)f->quota);
		break;
	case ALERTS:
		break;
	}
}
