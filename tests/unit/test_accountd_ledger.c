#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "alerts.h"
#include "clock.h"
#include "reputation.h"
#include "suppress_times.h"
#include "tally.h"

/* 2026-01-01 00:00:00 UTC, a Thursday. */
#define NEW_YEAR (1767225600ULL * US_PER_S)
#define HOUR (3600 * US_PER_S)
#define DAY (24 * HOUR)

static const struct reputation_rules rules = {
	.days = 30,
	.start = 80,
	.start_volume = 100,
	.value = { 100, -400, -5000, -200 },
	.steps = { { 25, 250 }, { 50, 2500 }, { 75, 25000 } },
	.n_steps = 3,
};

/* ---- counters -------------------------------------------------------------
 */

static uint64_t
sent(const struct tally *t, enum tally_period p, uint64_t now)
{
	return tally_get(t, TALLY_SENT, p, now);
}

static void
test_tally_periods_end_at_their_boundary_in_utc(void **state)
{
	struct tally t = { 0 };
	const uint64_t last = NEW_YEAR - 1;

	(void)state;
	tally_add(&t, TALLY_SENT, last, 3);
	for (unsigned p = 0; p < TALLY_PERIODS; p++) {
		assert_int_equal(sent(&t, (enum tally_period)p, last), 3);
	}
	assert_int_equal(sent(&t, TALLY_HOUR, NEW_YEAR), 0);
	assert_int_equal(sent(&t, TALLY_DAY, NEW_YEAR), 0);
	/* The week began on Monday. */
	assert_int_equal(sent(&t, TALLY_WEEK, NEW_YEAR), 3);
	assert_int_equal(sent(&t, TALLY_MONTH, NEW_YEAR), 0);
	assert_int_equal(sent(&t, TALLY_TOTAL, NEW_YEAR), 3);
	/* Sunday's end. */
	assert_int_equal(sent(&t, TALLY_WEEK, NEW_YEAR + 4 * DAY - 1), 3);
	assert_int_equal(sent(&t, TALLY_WEEK, NEW_YEAR + 4 * DAY), 0);
}

static void
test_tally_a_new_period_begins_with_nothing(void **state)
{
	struct tally t = { 0 };

	(void)state;
	tally_add(&t, TALLY_SENT, NEW_YEAR, 5);
	tally_add(&t, TALLY_BLOCKED, NEW_YEAR, 1);
	tally_add(&t, TALLY_SENT, NEW_YEAR + HOUR, 2);
	assert_int_equal(sent(&t, TALLY_HOUR, NEW_YEAR + HOUR), 2);
	assert_int_equal(
	    tally_get(&t, TALLY_BLOCKED, TALLY_HOUR, NEW_YEAR + HOUR), 0);
	assert_int_equal(sent(&t, TALLY_DAY, NEW_YEAR + HOUR), 7);
}

static void
test_tally_late_events_count_in_the_longer_periods(void **state)
{
	struct tally t = { 0 };

	(void)state;
	tally_add(&t, TALLY_SENT, NEW_YEAR + HOUR, 2);
	tally_add(&t, TALLY_SENT, NEW_YEAR + HOUR - 1, 1);
	assert_int_equal(sent(&t, TALLY_HOUR, NEW_YEAR + HOUR), 2);
	assert_int_equal(sent(&t, TALLY_DAY, NEW_YEAR + HOUR), 3);
	assert_int_equal(sent(&t, TALLY_TOTAL, NEW_YEAR + HOUR), 3);
}

static void
test_tally_is_read_as_it_was_stored(void **state)
{
	struct tally t = { .alerts_on = 5 };
	struct tally back;
	struct buf b = { 0 };

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		tally_add(&t, (enum tally_counter)(i % TALLY_COUNTERS),
		    NEW_YEAR + i * DAY, i);
		tally_book(&t, (enum tally_entry)(i % TALLY_ENTRIES),
		    NEW_YEAR + i * DAY);
	}
	tally_print(&t, &b);
	assert_int_equal(tally_parse(buf_str(&b), &back), 0);
	assert_memory_equal(&t, &back, sizeof(t));
	assert_int_equal(tally_parse(STR("\001x"), &back), -EBADMSG);
	buf_fini(&b);
}

static void
test_tally_ledger_keeps_the_last_days_in_order(void **state)
{
	struct tally t = { 0 };

	(void)state;
	tally_book(&t, TALLY_ENTRY_BOUNCE, NEW_YEAR + 2 * DAY);
	tally_book(&t, TALLY_ENTRY_BOUNCE, NEW_YEAR);
	tally_book(&t, TALLY_ENTRY_BOUNCE, NEW_YEAR + DAY);
	assert_int_equal(t.n_days, 3);
	assert_true(t.days[0].day < t.days[1].day);
	assert_true(t.days[1].day < t.days[2].day);
	for (unsigned i = 3; i < TALLY_DAYS + 5; i++) {
		tally_book(&t, TALLY_ENTRY_BOUNCE, NEW_YEAR + i * DAY);
	}
	assert_int_equal(t.n_days, TALLY_DAYS);
	/* Too old for what is kept. */
	tally_book(&t, TALLY_ENTRY_BOUNCE, NEW_YEAR);
	assert_int_equal(
	    t.days[0].day, tally_number(TALLY_DAY, NEW_YEAR + 5 * DAY));
	assert_int_equal(tally_recent(&t, TALLY_ENTRY_BOUNCE, 2,
			     NEW_YEAR + (TALLY_DAYS + 4) * DAY),
	    2);
}

/* ---- reputation -----------------------------------------------------------
 */

static void
add_points(void *arg, const struct reputation_line *line)
{
	*(int64_t *)arg += line->points_milli;
}

/* Every score is the sum of its lines. */
static int64_t
score(const struct tally *t, uint64_t now)
{
	int64_t sum = 0;
	int64_t s = reputation_score(t, &rules, now, add_points, &sum);

	assert_int_equal(s, sum);
	assert_true(s >= 0 && s <= 100000);
	return s;
}

static void
book(struct tally *t, enum tally_entry e, uint64_t time, unsigned n)
{
	while (n-- > 0) {
		tally_book(t, e, time);
	}
}

static void
test_reputation_of_a_new_account_is_the_start_value(void **state)
{
	const struct tally t = { 0 };

	(void)state;
	assert_int_equal(score(&t, NEW_YEAR), 80000);
}

static void
test_reputation_of_two_percent_bounces_is_healthy(void **state)
{
	struct tally t = { 0 };

	(void)state;
	book(&t, TALLY_ENTRY_DELIVERY, NEW_YEAR, 98000);
	book(&t, TALLY_ENTRY_BOUNCE, NEW_YEAR, 2000);
	assert_in_range(score(&t, NEW_YEAR), 89900, 90100);
}

static void
test_reputation_falls_with_each_bounce_and_the_quota_with_it(void **state)
{
	struct tally t = { 0 };
	int64_t before = score(&t, NEW_YEAR);
	uint32_t quota = reputation_quota(&rules, before);

	(void)state;
	assert_int_equal(quota, 0);
	for (unsigned i = 0; i < 100; i++) {
		uint32_t next;
		int64_t s;

		book(&t, TALLY_ENTRY_BOUNCE, NEW_YEAR, 1);
		s = score(&t, NEW_YEAR);
		assert_true(s < before || s == 0);
		before = s;
		next = reputation_quota(&rules, s);
		assert_true(quota == 0 || next <= quota);
		quota = next;
	}
	assert_int_equal(before, 0);
	assert_int_equal(quota, 250);
}

static void
test_reputation_forgets_what_is_old(void **state)
{
	struct tally t = { 0 };
	int64_t before;

	(void)state;
	book(&t, TALLY_ENTRY_DELIVERY, NEW_YEAR, 1000);
	book(&t, TALLY_ENTRY_BOUNCE, NEW_YEAR, 200);
	before = score(&t, NEW_YEAR);
	assert_true(before < 30000);
	for (unsigned day = 1; day < 30; day++) {
		int64_t s = score(&t, NEW_YEAR + day * DAY);

		assert_true(s >= before);
		before = s;
	}
	assert_int_equal(score(&t, NEW_YEAR + 30 * DAY), 80000);
}

static void
test_reputation_complaints_weigh_more_than_bounces(void **state)
{
	struct tally bounced = { 0 };
	struct tally complained = { 0 };

	(void)state;
	book(&bounced, TALLY_ENTRY_DELIVERY, NEW_YEAR, 1000);
	complained = bounced;
	book(&bounced, TALLY_ENTRY_BOUNCE, NEW_YEAR, 3);
	book(&complained, TALLY_ENTRY_COMPLAINT, NEW_YEAR, 3);
	assert_true(score(&complained, NEW_YEAR) < score(&bounced, NEW_YEAR));
}

static void
test_reputation_huge_counts_do_not_overflow(void **state)
{
	struct tally t = { 0 };

	(void)state;
	book(&t, TALLY_ENTRY_DELIVERY, NEW_YEAR, 1);
	for (unsigned e = 0; e < TALLY_ENTRIES; e++) {
		t.days[0].n[e] = UINT32_MAX;
	}
	assert_int_equal(score(&t, NEW_YEAR), 0);
	t.days[0].n[TALLY_ENTRY_COMPLAINT] = 0;
	t.days[0].n[TALLY_ENTRY_BOUNCE] = 0;
	t.days[0].n[TALLY_ENTRY_UNSUBSCRIBE] = 0;
	assert_in_range(score(&t, NEW_YEAR), 99999, 100000);
}

static void
test_reputation_quotas_are_steps_that_rise(void **state)
{
	struct reputation_rules r = { 0 };

	(void)state;
	assert_int_equal(reputation_steps_parse("50:10, 75:20", &r), 0);
	assert_int_equal(reputation_quota(&r, 49999), 10);
	assert_int_equal(reputation_quota(&r, 50000), 20);
	assert_int_equal(reputation_quota(&r, 75000), 0);
	assert_int_equal(reputation_steps_parse("", &r), 0);
	assert_int_equal(reputation_quota(&r, 0), 0);
	assert_int_equal(reputation_steps_parse("50:10 50:20", &r), -EINVAL);
	assert_int_equal(reputation_steps_parse("50", &r), -EINVAL);
	assert_int_equal(reputation_steps_parse("101:5", &r), -EINVAL);
	assert_int_equal(reputation_steps_parse("50:0", &r), -EINVAL);
}

/* ---- alerts ---------------------------------------------------------------
 */

static const struct alert_rules watched = { .volume = 100,
	.limit = {
	    [ALERT_BOUNCE_RATE] = 5,
	    [ALERT_COMPLAINT_RATE] = 30,
	    [ALERT_REPUTATION] = 50,
	    [ALERT_QUOTA] = 90,
	    [ALERT_RISE] = 5,
	    [ALERT_QUEUE_AGE] = 3600,
	} };
#define BIT(a) (1u << (a))

static void
test_alerts_end_only_well_behind_where_they_begin(void **state)
{
	struct alert_facts f = {
		.delivered = 951, .bounces = 49, .score_milli = 80000
	};
	uint32_t on = alerts_judge(&watched, &f, 0);

	(void)state;
	assert_int_equal(on, 0);
	f.delivered = 950;
	f.bounces = 50;
	on = alerts_judge(&watched, &f, on);
	assert_int_equal(on, BIT(ALERT_BOUNCE_RATE));
	f.delivered = 959;
	f.bounces = 41;
	on = alerts_judge(&watched, &f, on);
	assert_int_equal(on, BIT(ALERT_BOUNCE_RATE));
	assert_int_equal(alerts_judge(&watched, &f, 0), 0);
	f.delivered = 961;
	f.bounces = 39;
	assert_int_equal(alerts_judge(&watched, &f, on), 0);
}

static void
test_alerts_little_mail_begins_and_ends_nothing(void **state)
{
	struct alert_facts f = { .bounces = 99, .score_milli = 80000 };

	(void)state;
	assert_int_equal(alerts_judge(&watched, &f, 0), 0);
	f.bounces = 0;
	f.delivered = 10;
	assert_int_equal(alerts_judge(&watched, &f, BIT(ALERT_BOUNCE_RATE)),
	    BIT(ALERT_BOUNCE_RATE));
	f.delivered = 0;
	assert_int_equal(alerts_judge(&watched, &f, BIT(ALERT_BOUNCE_RATE)), 0);
}

static void
test_alerts_watch_reputation_complaints_and_quota(void **state)
{
	struct alert_facts f = { .delivered = 1000,
		.complaints = 3,
		.score_milli = 49999,
		.sent = 90,
		.quota = 100 };
	uint32_t on = alerts_judge(&watched, &f, 0);

	(void)state;
	assert_int_equal(on,
	    BIT(ALERT_COMPLAINT_RATE) | BIT(ALERT_REPUTATION) |
		BIT(ALERT_QUOTA));
	f.score_milli = 59999;
	f.sent = 72;
	assert_int_equal(alerts_judge(&watched, &f, on), on);
	f = (struct alert_facts){ .delivered = 1000,
		.complaints = 2,
		.score_milli = 60000,
		.sent = 71,
		.quota = 100 };
	assert_int_equal(alerts_judge(&watched, &f, on), 0);
}

static void
test_alerts_rules_of_0_are_off(void **state)
{
	const struct alert_rules none = { .volume = 1 };
	const struct alert_facts f = {
		.bounces = 1000, .complaints = 1000, .sent = 1000, .quota = 1
	};

	(void)state;
	assert_int_equal(alerts_judge(&none, &f, 0xff), 0);
}

/* An hour with so much mail, and what is on at its end. */
static uint32_t
hour(struct tally *t, uint32_t on, uint64_t *now, uint64_t n)
{
	struct alert_facts f = { .score_milli = 80000 };

	*now += HOUR;
	if (n != 0) {
		tally_add(t, TALLY_SENT, *now, n);
	}
	f.sent = tally_hour_sent(t, *now, false);
	f.sent_long = tally_hour_sent(t, *now, true);
	f.usual_milli = t->usual_milli;
	f.usual_hours = t->usual_hours;
	return alerts_judge(&watched, &f, on);
}

static void
test_alerts_tell_of_a_rise_once_and_that_it_is_over(void **state)
{
	struct tally t = { 0 };
	uint64_t now = NEW_YEAR;
	uint32_t on = 0;

	(void)state;
	/* A new account has no usual hour: nothing is a rise. */
	assert_int_equal(hour(&t, on, &now, 5000), 0);
	t = (struct tally){ 0 };
	for (unsigned i = 0; i < 72; i++) {
		on = hour(&t, on, &now, i % 24 < 8 ? 0 : 100);
		assert_int_equal(on, 0);
	}
	assert_in_range(t.usual_milli, 99000, 101000);
	assert_int_equal(hour(&t, on, &now, 499), 0);
	(void)hour(&t, on, &now, 100);
	on = hour(&t, on, &now, 800);
	assert_int_equal(on, BIT(ALERT_RISE));
	/* Early in the next hour nothing was sent yet: that ends nothing. */
	on = hour(&t, on, &now, 1);
	assert_int_equal(on, BIT(ALERT_RISE));
	tally_add(&t, TALLY_SENT, now, 799);
	on = hour(&t, on, &now, 800);
	assert_int_equal(on, BIT(ALERT_RISE));
	on = hour(&t, on, &now, 100);
	assert_int_equal(on, BIT(ALERT_RISE));
	assert_int_equal(hour(&t, on, &now, 100), 0);
	/* A flood of an hour is not what is usual from now on. */
	assert_true(t.usual_milli < 200000);
}

static void
test_alerts_a_rise_of_little_mail_is_none(void **state)
{
	struct tally t = { 0 };
	uint64_t now = NEW_YEAR;

	(void)state;
	for (unsigned i = 0; i < 48; i++) {
		assert_int_equal(hour(&t, 0, &now, 1), 0);
	}
	assert_int_equal(hour(&t, 0, &now, 99), 0);
	assert_int_equal(hour(&t, 0, &now, 100), BIT(ALERT_RISE));
}

static void
test_alerts_queue_age_is_kept_until_somebody_knows(void **state)
{
	struct alert_facts f = {
		.score_milli = 80000, .is_queue_known = true, .queue_s = 3599
	};
	uint32_t on = alerts_judge(&watched, &f, 0);

	(void)state;
	assert_int_equal(on, 0);
	f.queue_s = 3600;
	on = alerts_judge(&watched, &f, on);
	assert_int_equal(on, BIT(ALERT_QUEUE_AGE));
	f.queue_s = 2880;
	assert_int_equal(alerts_judge(&watched, &f, on), on);
	f.is_queue_known = false;
	f.queue_s = 0;
	assert_int_equal(alerts_judge(&watched, &f, on), on);
	f.is_queue_known = true;
	assert_int_equal(alerts_judge(&watched, &f, on), 0);
}

static void
test_alerts_limits_of_an_account_are_its_own_or_nothing(void **state)
{
	struct schema_account a = { .id = 1 };
	struct buf text = { 0 };
	uint64_t limit = 77;

	(void)state;
	assert_false(alert_own_limit(&a, ALERT_QUEUE_AGE, &limit));
	assert_int_equal(
	    alert_set_limit(&a, ALERT_QUEUE_AGE, STR("90m"), &text), 0);
	assert_true(alert_own_limit(&a, ALERT_QUEUE_AGE, &limit));
	assert_int_equal(limit, 5400);
	assert_int_equal(
	    alert_set_limit(&a, ALERT_QUEUE_AGE, STR("0"), &text), 0);
	assert_true(alert_own_limit(&a, ALERT_QUEUE_AGE, &limit));
	assert_int_equal(limit, 0);
	assert_int_equal(
	    alert_set_limit(&a, ALERT_QUEUE_AGE, STR(""), &text), 0);
	assert_false(alert_own_limit(&a, ALERT_QUEUE_AGE, &limit));
	assert_int_equal(
	    alert_set_limit(&a, ALERT_NETWORK, STR("no"), &text), 0);
	assert_true(alert_own_limit(&a, ALERT_NETWORK, &limit));
	assert_int_equal(limit, 0);
	assert_int_equal(
	    alert_set_limit(&a, ALERT_BOUNCE_RATE, STR("101"), &text), -EINVAL);
	assert_int_equal(
	    alert_set_limit(&a, ALERT_QUEUE_AGE, STR("31d"), &text), -EINVAL);
	assert_int_equal(
	    alert_set_limit(&a, ALERT_SECURITY, STR("1"), &text), -EINVAL);
	assert_false(alert_own_limit(&a, ALERT_BOUNCE_RATE, &limit));
	buf_fini(&text);
}

/* ---- how long addresses are suppressed ------------------------------------
 */

static void
test_suppress_times_grow_with_each_event(void **state)
{
	struct suppress_times t = { 0 };
	struct suppress_steps *s = &t.of[SUPPRESSION_HARD_BOUNCE];

	(void)state;
	assert_int_equal(suppress_steps_parse("7d 30d never", s), 0);
	assert_int_equal(
	    suppress_until(&t, SUPPRESSION_HARD_BOUNCE, 1, NEW_YEAR),
	    NEW_YEAR + 7 * DAY);
	assert_int_equal(
	    suppress_until(&t, SUPPRESSION_HARD_BOUNCE, 2, NEW_YEAR),
	    NEW_YEAR + 30 * DAY);
	assert_int_equal(
	    suppress_until(&t, SUPPRESSION_HARD_BOUNCE, 3, NEW_YEAR), 0);
	assert_int_equal(
	    suppress_until(&t, SUPPRESSION_HARD_BOUNCE, 99, NEW_YEAR), 0);
	assert_int_equal(suppress_steps_parse("", s), -EINVAL);
	assert_int_equal(suppress_steps_parse("7d soon", s), -EINVAL);
	assert_int_equal(suppress_steps_parse("2030-01-01", s), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_tally_periods_end_at_their_boundary_in_utc),
		cmocka_unit_test(test_tally_a_new_period_begins_with_nothing),
		cmocka_unit_test(
		    test_tally_late_events_count_in_the_longer_periods),
		cmocka_unit_test(test_tally_is_read_as_it_was_stored),
		cmocka_unit_test(
		    test_tally_ledger_keeps_the_last_days_in_order),
		cmocka_unit_test(
		    test_reputation_of_a_new_account_is_the_start_value),
		cmocka_unit_test(
		    test_reputation_of_two_percent_bounces_is_healthy),
		cmocka_unit_test(
		    test_reputation_falls_with_each_bounce_and_the_quota_with_it),
		cmocka_unit_test(test_reputation_forgets_what_is_old),
		cmocka_unit_test(
		    test_reputation_complaints_weigh_more_than_bounces),
		cmocka_unit_test(test_reputation_huge_counts_do_not_overflow),
		cmocka_unit_test(test_reputation_quotas_are_steps_that_rise),
		cmocka_unit_test(
		    test_alerts_end_only_well_behind_where_they_begin),
		cmocka_unit_test(
		    test_alerts_little_mail_begins_and_ends_nothing),
		cmocka_unit_test(
		    test_alerts_watch_reputation_complaints_and_quota),
		cmocka_unit_test(test_alerts_rules_of_0_are_off),
		cmocka_unit_test(
		    test_alerts_tell_of_a_rise_once_and_that_it_is_over),
		cmocka_unit_test(test_alerts_a_rise_of_little_mail_is_none),
		cmocka_unit_test(
		    test_alerts_queue_age_is_kept_until_somebody_knows),
		cmocka_unit_test(
		    test_alerts_limits_of_an_account_are_its_own_or_nothing),
		cmocka_unit_test(test_suppress_times_grow_with_each_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
