#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "clock.h"
#include "plan.h"
#include "source_rule.h"
#include "warmup.h"

/* When source addresses are in service, and how they are warmed up. */

#define NOW_US (1700000000ULL * US_PER_S)
#define HOUR_US (3600 * US_PER_S)

static const struct source_rules rules = { .name_wait_us = 24 * HOUR_US,
	.grace_us = 6 * HOUR_US };

static char reason[SOURCE_REASON_MAX];

/* An answer some hours after NOW_US. */
static bool
answer(struct schema_source *s, unsigned hour, enum check_status forward,
    enum check_status reverse)
{
	const struct ipc_ptr_rep rep = { .forward = (uint8_t)forward,
		.reverse = (uint8_t)reverse,
		.reason = STR("because") };

	return source_judge(s, &rep, NOW_US + hour * HOUR_US, &rules, reason);
}

static struct schema_source
good(void)
{
	struct schema_source s = { .name = STR("a.example") };

	assert_true(answer(&s, 0, CHECK_OK, CHECK_OK));
	return s;
}

/* ---- in service ------------------------------------------------------------
 */

static void
test_source_serves_once_both_records_are_right(void **state)
{
	struct schema_source s = { .name = STR("a.example") };

	(void)state;
	assert_false(answer(&s, 0, CHECK_OK, CHECK_MISSING));
	assert_false(answer(&s, 1, CHECK_WRONG, CHECK_OK));
	assert_int_equal(s.state, SOURCE_PENDING);
	assert_true(str_is(s.reason, "because"));
	assert_true(answer(&s, 2, CHECK_OK, CHECK_OK));
	assert_int_equal(s.state, SOURCE_GOOD);
	assert_int_equal(s.since_us, NOW_US + 2 * HOUR_US);
	assert_int_equal(s.reason.len, 0);
}

static void
test_source_turns_bad_at_once_and_good_at_once(void **state)
{
	struct schema_source s = good();

	(void)state;
	assert_true(answer(&s, 1, CHECK_OK, CHECK_WRONG));
	assert_int_equal(s.state, SOURCE_BAD);
	assert_false(answer(&s, 2, CHECK_MISSING, CHECK_TEMPORARY));
	assert_false(answer(&s, 3, CHECK_OK, CHECK_TEMPORARY));
	assert_int_equal(s.state, SOURCE_BAD);
	assert_true(answer(&s, 4, CHECK_OK, CHECK_OK));
	assert_int_equal(s.state, SOURCE_GOOD);
}

static void
test_source_survives_silence_for_the_grace_time_only(void **state)
{
	struct schema_source s = good();

	(void)state;
	assert_false(answer(&s, 1, CHECK_OK, CHECK_TEMPORARY));
	assert_false(
	    source_judge(&s, NULL, NOW_US + 6 * HOUR_US, &rules, reason));
	assert_false(answer(&s, 6, CHECK_OK, CHECK_OK));
	assert_int_equal(s.unknown_us, 0);
	assert_false(answer(&s, 10, CHECK_TEMPORARY, CHECK_TEMPORARY));
	assert_false(answer(&s, 15, CHECK_TEMPORARY, CHECK_TEMPORARY));
	assert_true(answer(&s, 16, CHECK_TEMPORARY, CHECK_TEMPORARY));
	assert_int_equal(s.state, SOURCE_BAD);
}

static void
test_source_with_a_new_name_waits_from_when_it_was_seen(void **state)
{
	struct schema_source s = good();

	(void)state;
	source_rename(&s, STR("b.example"), NOW_US + 1 * HOUR_US);
	assert_int_equal(s.state, SOURCE_PENDING);
	assert_false(answer(&s, 2, CHECK_OK, CHECK_WRONG));
	assert_true(answer(&s, 5, CHECK_OK, CHECK_OK));
	assert_int_equal(s.state, SOURCE_WAITING);
	assert_int_equal(source_ready_us(&s, &rules), NOW_US + 29 * HOUR_US);
	assert_false(answer(&s, 28, CHECK_OK, CHECK_OK));
	assert_false(answer(&s, 29, CHECK_TEMPORARY, CHECK_OK));
	assert_true(answer(&s, 30, CHECK_OK, CHECK_OK));
	assert_int_equal(s.state, SOURCE_GOOD);
	assert_int_equal(source_ready_us(&s, &rules), 0);
}

static void
test_source_waits_anew_when_the_new_name_went_away(void **state)
{
	struct schema_source s = good();

	(void)state;
	source_rename(&s, STR("b.example"), NOW_US);
	assert_true(answer(&s, 1, CHECK_OK, CHECK_OK));
	assert_true(answer(&s, 20, CHECK_MISSING, CHECK_OK));
	assert_int_equal(s.state, SOURCE_PENDING);
	assert_true(answer(&s, 21, CHECK_OK, CHECK_OK));
	assert_false(answer(&s, 44, CHECK_OK, CHECK_OK));
	assert_true(answer(&s, 45, CHECK_OK, CHECK_OK));
	assert_int_equal(s.state, SOURCE_GOOD);
}

static void
test_source_that_never_served_has_no_wait(void **state)
{
	struct schema_source s = { .name = STR("a.example") };

	(void)state;
	source_rename(&s, STR("b.example"), NOW_US);
	assert_true(answer(&s, 1, CHECK_OK, CHECK_OK));
	assert_int_equal(s.state, SOURCE_GOOD);
}

/* ---- warm-up ---------------------------------------------------------------
 */

static const struct warmup_rules limits = { .use_percent = 25,
	.volume = 20,
	.deferral_percent = 10,
	.complaint_rate = 10 };

static struct warmup_plan
plan(const char *text)
{
	struct warmup_plan p;
	struct buf error = { 0 };

	assert_int_equal(warmup_parse(str_of(text), &p, &error), 0);
	return p;
}

/* The day after this one; returns its step. */
static uint32_t
turn(const struct warmup_plan *p, struct warmup_day *d, struct warmup_count c)
{
	struct buf verdict = { 0 };

	warmup_turn(p, &limits, &c, 1, d->step_day + 1, d, &verdict);
	assert_in_range(verdict.len, 1, 200);
	buf_fini(&verdict);
	return d->step;
}

static void
test_warmup_plans_with_mistakes_are_refused(void **state)
{
	static const char *const bad[] = { "", "0", "5,,6", "10,9", "a",
		"1000000001", "1 2" };
	struct warmup_plan p;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct buf error = { 0 };

		assert_int_equal(
		    warmup_parse(str_of(bad[i]), &p, &error), -EINVAL);
		assert_true(error.len > 0);
		buf_fini(&error);
	}
	p = plan("5, 5,20");
	assert_int_equal(p.n, 3);
}

static void
test_warmup_grows_by_a_line_each_good_day(void **state)
{
	const struct warmup_plan p = plan("100,200,400");
	struct warmup_day d = { .step = 1, .step_day = 1000 };

	(void)state;
	assert_int_equal(warmup_ceiling(&p, &d), 100);
	assert_int_equal(warmup_end(&p, &d), 1003);
	assert_int_equal(
	    turn(&p, &d, (struct warmup_count){ .tried = 25, .delivered = 25 }),
	    2);
	assert_int_equal(
	    turn(&p, &d,
		(struct warmup_count){
		    .tried = 200, .delivered = 180, .deferred = 20 }),
	    3);
	assert_int_equal(warmup_end(&p, &d), 1003);
	assert_int_equal(
	    turn(&p, &d,
		(struct warmup_count){ .tried = 400, .delivered = 400 }),
	    4);
	assert_int_equal(warmup_ceiling(&p, &d), 0);
}

static void
test_warmup_days_with_little_mail_do_not_count(void **state)
{
	const struct warmup_plan p = plan("100,200");
	struct warmup_day d = { .step = 1, .step_day = 1000 };

	(void)state;
	assert_int_equal(turn(&p, &d, (struct warmup_count){ .tried = 24 }), 1);
	assert_int_equal(turn(&p, &d, (struct warmup_count){ 0 }), 1);
	assert_int_equal(d.held, 2);
	assert_int_equal(d.step_day, 1002);
	assert_int_equal(warmup_end(&p, &d), 1004);
}

static void
test_warmup_stays_and_goes_back_with_deferrals_and_complaints(void **state)
{
	const struct warmup_plan p = plan("100,2000,4000,8000");
	struct warmup_day d = { .step = 3, .step_day = 1000 };
	struct warmup_count c = { .tried = 2000, .delivered = 1999 };

	(void)state;
	c.deferred = 201;
	assert_int_equal(turn(&p, &d, c), 3);
	c.deferred = 401;
	assert_int_equal(turn(&p, &d, c), 2);
	c.deferred = 0;
	c.complaints = 2;
	assert_int_equal(turn(&p, &d, c), 2);
	c.complaints = 4;
	assert_int_equal(turn(&p, &d, c), 1);
	assert_int_equal(turn(&p, &d, c), 1);
	c.complaints = 1;
	assert_int_equal(turn(&p, &d, c), 2);
	assert_int_equal(d.held, 0);
}

static void
test_warmup_one_complaint_of_few_mails_says_nothing(void **state)
{
	const struct warmup_plan p = plan("100,200");
	struct warmup_day d = { .step = 1, .step_day = 1000 };

	(void)state;
	assert_int_equal(
	    turn(&p, &d,
		(struct warmup_count){
		    .tried = 100, .delivered = 100, .complaints = 1 }),
	    2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_source_serves_once_both_records_are_right),
		cmocka_unit_test(
		    test_source_turns_bad_at_once_and_good_at_once),
		cmocka_unit_test(
		    test_source_survives_silence_for_the_grace_time_only),
		cmocka_unit_test(
		    test_source_with_a_new_name_waits_from_when_it_was_seen),
		cmocka_unit_test(
		    test_source_waits_anew_when_the_new_name_went_away),
		cmocka_unit_test(test_source_that_never_served_has_no_wait),
		cmocka_unit_test(test_warmup_plans_with_mistakes_are_refused),
		cmocka_unit_test(test_warmup_grows_by_a_line_each_good_day),
		cmocka_unit_test(
		    test_warmup_days_with_little_mail_do_not_count),
		cmocka_unit_test(
		    test_warmup_stays_and_goes_back_with_deferrals_and_complaints),
		cmocka_unit_test(
		    test_warmup_one_complaint_of_few_mails_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
