#include "core_world.h"

#include <string.h>

/*
 * What shaping needs of the core: recipients per time, limits of one source
 * at a site, windows, schedules of a site, and rates over a restart.
 */

#define HOUR_US (3600 * 1000000ULL)

static void
limit(struct world *w, uint32_t site, uint32_t sub, const struct core_limits *l)
{
	const struct core_object o = { CORE_LEVEL_SITE, site, sub };

	assert_int_equal(core_limits_set(w->core, &o, l), 0);
}

static uint32_t
site_of(struct world *w)
{
	return core_site_find(w->core, STR("a.example"));
}

static void
test_core_recipients_per_time_are_never_exceeded_in_any_such_time(void **state)
{
	/* 100 in an hour, up to 11 in a transaction: 90 and 11. */
	const struct core_limits l = {
		.rate_rcpts = 90, .rate_rcpt_s = 3600, .rcpt_burst = 11
	};
	struct {
		uint64_t at;
		uint32_t n;
	} sent[400];
	unsigned count = 0;
	struct world w;
	struct world_job j;

	(void)state;
	world_init(&w, NULL);
	for (unsigned i = 0; i < 40; i++) {
		struct core_message m = world_message(&w, 1);

		(void)world_send(&w, &m, world_domain(&w, "a.example"), 15);
	}
	limit(&w, site_of(&w), 0, &l);
	for (unsigned s = 0; s < 4 * 3600; s++) {
		while (world_job(&w, &j)) {
			assert_in_range(j.n, 1, 11);
			assert_in_range(count, 0, 399);
			sent[count].at = w.now_us;
			sent[count++].n = j.n;
			(void)world_deliver(&w, &j);
		}
		world_pass_s(&w, 1);
	}
	assert_in_range(count, 30, 399);
	for (unsigned i = 0; i < count; i++) {
		uint32_t sum = 0;

		for (unsigned k = i;
		     k < count && sent[k].at < sent[i].at + HOUR_US; k++) {
			sum += sent[k].n;
		}
		assert_in_range(sum, 1, 100);
	}
	world_fini(&w);
}

static void
test_core_one_source_is_paused_while_others_go_on(void **state)
{
	const struct core_limits l = { .is_paused = true };
	struct world w;
	struct world_job j;

	(void)state;
	world_init(&w, NULL);
	assert_int_equal(core_source_set(w.core, 1, 0, true), 0);
	for (unsigned i = 0; i < 6; i++) {
		(void)world_mail(&w, 1, world_domain(&w, "a.example"));
	}
	limit(&w, site_of(&w), CORE_FROM(0), &l);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(world_job(&w, &j));
		assert_int_equal(j.source, 1);
	}
	world_fini(&w);
}

static void
test_core_a_path_says_which_limit_stops_it(void **state)
{
	const struct core_limits l = { .rate_msgs = 1, .rate_s = 3600 };
	struct core_path_view v;
	struct world w;
	struct world_job j;

	(void)state;
	world_init(&w, NULL);
	for (unsigned i = 0; i < 2; i++) {
		(void)world_mail(&w, 1, world_domain(&w, "a.example"));
	}
	limit(&w, site_of(&w), CORE_FROM(0), &l);
	assert_true(world_job(&w, &j));
	assert_false(world_job(&w, &j));
	v = world_path(&w);
	assert_int_equal(v.state, CORE_PATH_LIMITED);
	assert_int_equal(v.blocked_by, CORE_LEVEL_SITE);
	assert_true(v.is_blocked_from);
	assert_int_equal(v.stop, CORE_STOP_MESSAGES);
	assert_int_equal(v.until_us, w.now_us + HOUR_US);
	world_fini(&w);
}

static void
test_core_a_window_begins_and_ends_where_the_limits_say(void **state)
{
	const struct core_limits l = { .window = 2, .window_max = 3 };
	struct world w;
	struct world_job j[40];
	uint32_t d;
	unsigned n;

	(void)state;
	world_init(&w, NULL);
	limit(&w, core_site(w.core, STR("a.example"), NULL), 0, &l);
	d = world_domain(&w, "a.example");
	for (unsigned i = 0; i < 100; i++) {
		(void)world_mail(&w, 1, d);
	}
	n = world_jobs(&w, j, 40);
	assert_int_equal(n, 2 * w.conf.credit);
	assert_int_equal(j[0].conn_limit, 2);
	for (unsigned round = 0; round < 8; round++) {
		while (n > 0) {
			(void)world_deliver(&w, &j[--n]);
		}
		n = world_jobs(&w, j, 40);
	}
	assert_int_equal(n, 3 * w.conf.credit);
	assert_int_equal(j[0].conn_limit, 3);
	world_fini(&w);
}

static void
test_core_a_result_may_bring_its_own_schedule(void **state)
{
	static const uint32_t retry_s[] = { 900, 1800 };
	const struct core_result r = {
		.outcome = OUTCOME_DEFERRED, .retry_s = retry_s, .nretry = 2
	};
	struct core_verdict v;
	struct world w;
	struct world_job j;

	(void)state;
	world_init(&w, NULL);
	(void)world_mail(&w, 1, world_domain(&w, "a.example"));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(world_job(&w, &j));
		assert_int_equal(core_result(w.core, j.id, 0, &r, &v), 0);
		assert_int_equal(
		    v.due_s, world_now_s(&w) + (i == 0 ? 900 : 1800));
		world_pass_s(&w, v.due_s - world_now_s(&w));
	}
	world_fini(&w);
}

static void
test_core_a_rate_holds_over_a_restart(void **state)
{
	const struct core_limits l = { .rate_msgs = 60, .rate_s = 3600 };
	struct core_config c;
	struct world w;
	struct world_job j;

	(void)state;
	core_config_init(&c);
	c.is_restart = true;
	world_init(&w, &c);
	(void)world_mail(&w, 1, world_domain(&w, "a.example"));
	limit(&w, site_of(&w), 0, &l);
	assert_false(world_job(&w, &j));
	world_pass_s(&w, 59);
	assert_false(world_job(&w, &j));
	world_pass_s(&w, 1);
	assert_true(world_job(&w, &j));
	world_fini(&w);
}

static void
test_core_a_dead_path_is_still_dead_after_a_restart(void **state)
{
	struct core_path_past past = { .window = 1, .failures = 3 };
	struct world w;
	struct world_job j;
	uint32_t d;

	(void)state;
	world_init(&w, NULL);
	d = world_domain(&w, "a.example");
	past.until_us = w.now_us + 600 * 1000000ULL;
	assert_int_equal(core_path_restore(w.core, site_of(&w), 0, &past), 0);
	assert_int_equal(core_path_restore(w.core, site_of(&w), 9, &past), -2);
	(void)world_mail(&w, 1, d);
	assert_false(world_job(&w, &j));
	assert_int_equal(world_path(&w).state, CORE_PATH_DEAD);
	assert_int_equal(world_path(&w).failures, 3);
	world_pass_s(&w, 600);
	assert_true(world_job(&w, &j));
	assert_true(j.is_probe);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_recipients_per_time_are_never_exceeded_in_any_such_time),
		cmocka_unit_test(
		    test_core_one_source_is_paused_while_others_go_on),
		cmocka_unit_test(test_core_a_path_says_which_limit_stops_it),
		cmocka_unit_test(
		    test_core_a_window_begins_and_ends_where_the_limits_say),
		cmocka_unit_test(test_core_a_result_may_bring_its_own_schedule),
		cmocka_unit_test(test_core_a_rate_holds_over_a_restart),
		cmocka_unit_test(
		    test_core_a_dead_path_is_still_dead_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
