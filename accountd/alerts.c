#include "alerts.h"

#include <errno.h>

#include "clock.h"
#include "expiry.h"

/* A rule is over when the value is 20 percent on the good side. */
#define CLEAR_PERCENT 80
#define CLEAR_SCORE 10
/* What is usual is known after so many hours with mail. */
#define USUAL_HOURS_MIN 24

enum form {
	FORM_NUMBER,
	FORM_SECONDS,
	FORM_YES_NO,
};

static const struct rule {
	const char *name;
	enum form form;
	uint32_t max;
} table[ALERTS] = {
	[ALERT_BOUNCE_RATE] = { "bounce_rate", FORM_NUMBER, 100 },
	[ALERT_COMPLAINT_RATE] = { "complaint_rate", FORM_NUMBER, 10000 },
	[ALERT_REPUTATION] = { "reputation", FORM_NUMBER, 90 },
	[ALERT_QUOTA] = { "quota", FORM_NUMBER, 100 },
	[ALERT_RISE] = { "rise", FORM_NUMBER, 1000 },
	[ALERT_QUEUE_AGE] = { "queue_age", FORM_SECONDS, 30 * 86400 },
	[ALERT_DOMAIN] = { "domain", FORM_YES_NO, 1 },
	[ALERT_SOURCE] = { "source", FORM_YES_NO, 1 },
	[ALERT_NETWORK] = { "network", FORM_YES_NO, 1 },
	[ALERT_SECURITY] = { "security", FORM_YES_NO, 1 },
};

const char *
alert_name(enum alert a)
{
	return table[a].name;
}

enum alert
alert_parse(struct str name)
{
	unsigned a = 0;

	while (a < ALERTS && !str_is(name, table[a].name)) {
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

	if (whole == 0) {
		return false;
	}
	/* With little mail nothing begins and nothing ends. */
	if (whole < rules->volume) {
		return was_on;
	}
	return reaches(part, whole, scale, limit, was_on);
}

static bool
rise_is_on(const struct alert_rules *rules, const struct alert_facts *f,
    uint64_t limit, bool was_on)
{
	uint64_t sent = was_on ? f->sent_long : f->sent;

	if (f->usual_hours < USUAL_HOURS_MIN || f->usual_milli == 0 ||
	    sent < rules->volume) {
		return false;
	}
	return reaches(sent, f->usual_milli, 1000, limit, was_on);
}

static bool
is_on(enum alert a, const struct alert_rules *rules,
    const struct alert_facts *f, bool was_on)
{
	uint64_t limit = rules->limit[a];

	if (limit == 0) {
		return false;
	}
	switch (a) {
	case ALERT_BOUNCE_RATE:
		return rate_is_on(rules, f, f->bounces, 100, limit, was_on);
	case ALERT_COMPLAINT_RATE:
		return rate_is_on(
		    rules, f, f->complaints, 10000, limit, was_on);
	case ALERT_REPUTATION:
		return f->score_milli <
		    (int64_t)(limit + (was_on ? CLEAR_SCORE : 0)) * 1000;
	case ALERT_QUOTA:
		return f->quota != 0 &&
		    reaches(f->sent, f->quota, 100, limit, was_on);
	case ALERT_RISE:
		return rise_is_on(rules, f, limit, was_on);
	case ALERT_QUEUE_AGE:
		return f->is_queue_known
		    ? reaches(f->queue_s, 1, 1, limit, was_on)
		    : was_on;
	case ALERT_DOMAIN:
	case ALERT_SOURCE:
	case ALERT_NETWORK:
	case ALERT_SECURITY:
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

	for (unsigned a = 0; a < ALERTS_JUDGED; a++) {
		if (is_on((enum alert)a, rules, f, was_on >> a & 1)) {
			on |= 1u << a;
		}
	}
	return on;
}

static void
print_rate(
    enum alert a, uint64_t limit, const struct alert_facts *f, struct buf *out)
{
	unsigned long long whole = f->delivered + f->bounces;

	if (a == ALERT_BOUNCE_RATE) {
		buf_printf(out,
		    "%llu of %llu recipients of two days bounced; the limit "
		    "is %llu percent",
		    (unsigned long long)f->bounces, whole,
		    (unsigned long long)limit);
	} else {
		buf_printf(out,
		    "%llu complaints about %llu messages of two days; the "
		    "limit is %llu of 10000",
		    (unsigned long long)f->complaints, whole,
		    (unsigned long long)limit);
	}
}

void
alert_print(enum alert a, const struct alert_rules *rules,
    const struct alert_facts *f, struct buf *out)
{
	uint64_t limit = rules->limit[a];

	switch (a) {
	case ALERT_BOUNCE_RATE:
	case ALERT_COMPLAINT_RATE:
		print_rate(a, limit, f, out);
		break;
	case ALERT_REPUTATION:
		buf_printf(out, "the reputation is %lld; the limit is %llu",
		    (long long)(f->score_milli / 1000),
		    (unsigned long long)limit);
		break;
	case ALERT_QUOTA:
		buf_printf(out, "%llu recipients this hour; the quota is %llu",
		    (unsigned long long)f->sent, (unsigned long long)f->quota);
		break;
	case ALERT_RISE:
		buf_printf(out,
		    "%llu recipients this hour; usual are %llu, the limit is "
		    "%llu times that",
		    (unsigned long long)f->sent,
		    (unsigned long long)(f->usual_milli / 1000),
		    (unsigned long long)limit);
		break;
	case ALERT_QUEUE_AGE:
		buf_printf(out,
		    "the oldest queued message waits since %llu minutes; the "
		    "limit is %llu",
		    (unsigned long long)(f->queue_s / 60),
		    (unsigned long long)(limit / 60));
		break;
	case ALERT_DOMAIN:
	case ALERT_SOURCE:
	case ALERT_NETWORK:
	case ALERT_SECURITY:
	case ALERTS:
		break;
	}
}

/* ---- limits of an account's own ------------------------------------------
 */

static uint32_t *
place_of(struct schema_account *r, enum alert a)
{
	uint32_t *const places[ALERTS] = {
		[ALERT_BOUNCE_RATE] = &r->alert_bounce_rate,
		[ALERT_COMPLAINT_RATE] = &r->alert_complaint_rate,
		[ALERT_REPUTATION] = &r->alert_reputation,
		[ALERT_QUOTA] = &r->alert_quota,
		[ALERT_RISE] = &r->alert_rise,
		[ALERT_QUEUE_AGE] = &r->alert_queue_age,
		[ALERT_DOMAIN] = &r->alert_domain,
		[ALERT_SOURCE] = &r->alert_source,
		[ALERT_NETWORK] = &r->alert_network,
		[ALERT_SECURITY] = &r->alert_security,
	};

	return places[a];
}

bool
alert_own_limit(const struct schema_account *r, enum alert a, uint64_t *limit)
{
	struct schema_account copy = *r;
	uint32_t stored = *place_of(&copy, a);

	if (stored == 0) {
		return false;
	}
	*limit = stored - 1;
	return true;
}

/* With a unit, or plain seconds. */
static int
parse_seconds(struct str text, uint32_t max, uint64_t *out)
{
	uint64_t us;

	if (expiry_span(text, &us) < 0) {
		return str_u64(text, max, out);
	}
	*out = us / US_PER_S;
	return *out <= max ? 0 : -ERANGE;
}

static int
parse_limit(const struct rule *rule, struct str text, uint64_t *out)
{
	switch (rule->form) {
	case FORM_NUMBER:
		return str_u64(text, rule->max, out);
	case FORM_SECONDS:
		return parse_seconds(text, rule->max, out);
	case FORM_YES_NO:
		*out = str_is(text, "yes");
		return *out != 0 || str_is(text, "no") ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int
alert_set_limit(
    struct schema_account *r, enum alert a, struct str text, struct buf *error)
{
	const struct rule *rule = &table[a];
	uint64_t limit = 0;

	if (text.len == 0) {
		*place_of(r, a) = 0;
		return 0;
	}
	if (parse_limit(rule, text, &limit) == 0) {
		*place_of(r, a) = (uint32_t)limit + 1;
		return 0;
	}
	switch (rule->form) {
	case FORM_NUMBER:
		buf_printf(error,
		    "a number from 0 (never) to %u is needed, or nothing for "
		    "the default",
		    rule->max);
		break;
	case FORM_SECONDS:
		buf_puts(error,
		    "a time as 90m, 4h or 2d is needed, 0 for never, or "
		    "nothing for the default");
		break;
	case FORM_YES_NO:
		buf_puts(
		    error, "yes or no is needed, or nothing for the default");
		break;
	}
	return -EINVAL;
}

void
alert_print_limit(enum alert a, uint64_t limit, struct buf *out)
{
	switch (table[a].form) {
	case FORM_NUMBER:
		buf_printf(out, "%llu", (unsigned long long)limit);
		break;
	case FORM_SECONDS:
		buf_printf(out, "%llus", (unsigned long long)limit);
		break;
	case FORM_YES_NO:
		buf_puts(out, limit != 0 ? "yes" : "no");
		break;
	}
}
