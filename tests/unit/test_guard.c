#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "clock.h"
#include "guard.h"

#define NOW_US (1000 * US_PER_S)
#define TIME_US (600 * US_PER_S)
#define LIMIT 3
#define ACCOUNT 7

static struct guard *
pressed(void)
{
	struct guard *g = guard_new();

	for (unsigned i = 1; i <= LIMIT; i++) {
		assert_int_equal(guard_fail(g, ACCOUNT, NOW_US, TIME_US), i);
	}
	return g;
}

static void
test_guard_presses_from_the_limit_on_until_it_is_quiet(void **state)
{
	struct guard *g = guard_new();

	(void)state;
	for (unsigned i = 0; i < LIMIT; i++) {
		assert_false(
		    guard_is_pressed(g, ACCOUNT, LIMIT, NOW_US, TIME_US));
		(void)guard_fail(g, ACCOUNT, NOW_US, TIME_US);
	}
	assert_true(guard_is_pressed(g, ACCOUNT, LIMIT, NOW_US, TIME_US));
	assert_false(guard_is_pressed(g, ACCOUNT, 0, NOW_US, TIME_US));
	assert_false(guard_is_pressed(g, ACCOUNT + 1, LIMIT, NOW_US, TIME_US));
	assert_true(
	    guard_is_pressed(g, ACCOUNT, LIMIT, NOW_US + TIME_US, TIME_US));
	assert_false(
	    guard_is_pressed(g, ACCOUNT, LIMIT, NOW_US + TIME_US + 1, TIME_US));
	/* They begin again from one. */
	assert_int_equal(
	    guard_fail(g, ACCOUNT, NOW_US + TIME_US + 1, TIME_US), 1);
	guard_free(&g);
}

static void
test_guard_knows_networks_of_good_uses(void **state)
{
	struct guard *g = pressed();

	(void)state;
	assert_false(guard_has_networks(g, ACCOUNT));
	guard_good(g, ACCOUNT, STR("192.0.2.1"));
	guard_good(g, ACCOUNT, STR("2001:db8:1:2::1"));
	guard_good(g, ACCOUNT, STR("others"));
	guard_good(g, ACCOUNT, STR(""));
	assert_true(guard_has_networks(g, ACCOUNT));
	assert_true(guard_is_good(g, ACCOUNT, STR("192.0.2.254")));
	assert_true(guard_is_good(g, ACCOUNT, STR("::ffff:192.0.2.9")));
	assert_false(guard_is_good(g, ACCOUNT, STR("192.0.3.1")));
	assert_true(guard_is_good(g, ACCOUNT, STR("2001:db8:1:2:ffff::9")));
	assert_false(guard_is_good(g, ACCOUNT, STR("2001:db8:1:3::1")));
	assert_false(guard_is_good(g, ACCOUNT, STR("others")));
	assert_false(guard_is_good(g, ACCOUNT, STR("")));
	assert_false(guard_is_good(g, ACCOUNT + 1, STR("192.0.2.1")));
	guard_free(&g);
}

static void
test_guard_keeps_nothing_of_accounts_that_are_left_alone(void **state)
{
	struct guard *g = guard_new();

	(void)state;
	guard_good(g, ACCOUNT, STR("192.0.2.1"));
	assert_false(guard_is_good(g, ACCOUNT, STR("192.0.2.1")));
	guard_free(&g);
	g = pressed();
	guard_good(g, ACCOUNT, STR("192.0.2.1"));
	guard_sweep(g, NOW_US + TIME_US, TIME_US);
	assert_true(guard_is_good(g, ACCOUNT, STR("192.0.2.1")));
	guard_sweep(g, NOW_US + TIME_US + 1, TIME_US);
	assert_false(guard_is_good(g, ACCOUNT, STR("192.0.2.1")));
	guard_free(&g);
}

static void
test_guard_networks_of_one_account_are_bounded(void **state)
{
	struct guard *g = pressed();

	(void)state;
	for (unsigned i = 0; i < 10050; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.%u.%u.1", i / 256, i % 256);
		guard_good(g, ACCOUNT, str_of(ip));
	}
	assert_true(guard_is_good(g, ACCOUNT, STR("10.0.0.9")));
	assert_false(guard_is_good(g, ACCOUNT, STR("10.39.64.9")));
	guard_free(&g);
}

#define T(t) cmocka_unit_test(t)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_guard_presses_from_the_limit_on_until_it_is_quiet),
		T(test_guard_knows_networks_of_good_uses),
		T(test_guard_keeps_nothing_of_accounts_that_are_left_alone),
		T(test_guard_networks_of_one_account_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
