#include "core_world.h"

/* Windows, dead sites, probes, suspensions. */

static void
fill(struct world *w, const struct core_config *c, unsigned n)
{
	uint32_t d;

	world_init(w, c);
	d = world_domain(w, "a.example");
	for (unsigned i = 0; i < n; i++) {
		(void)world_mail(w, 1, d);
	}
}

/* Fails all jobs that are out, and those that replace them. */
static void
kill_path(struct world *w)
{
	struct world_job j[64];

	for (;;) {
		unsigned n = world_jobs(w, j, 64);

		if (n == 0) {
			break;
		}
		for (unsigned i = 0; i < n; i++) {
			world_refuse(w, &j[i]);
		}
	}
	assert_int_equal(world_path(w).state, CORE_PATH_DEAD);
}

static void
test_core_a_window_grows_with_success_up_to_its_limit(void **state)
{
	struct world w;
	struct world_job j[64];
	double before = 5;
	unsigned n;

	(void)state;
	fill(&w, NULL, 10000);
	for (unsigned round = 0; round < 40; round++) {
		n = world_jobs(&w, j, 64);
		assert_in_range(n, 1, 40);
		for (unsigned i = 0; i < n; i++) {
			(void)world_deliver(&w, &j[i]);
		}
		assert_true(world_path(&w).window >= before);
		before = world_path(&w).window;
	}
	assert_true(before == w.conf.concurrency_limit);
	assert_int_equal(world_jobs(&w, j, 64), 40);
	assert_int_equal(j[39].conn_limit, 20);
	world_fini(&w);
}

static void
test_core_an_idle_paths_window_does_not_grow_beyond_its_use(void **state)
{
	struct world w;
	struct world_job j;

	(void)state;
	fill(&w, NULL, 0);
	for (unsigned i = 0; i < 1000; i++) {
		(void)world_mail(
		    &w, 1, core_domain_find(w.core, STR("a.example")));
		assert_true(world_job(&w, &j));
		(void)world_deliver(&w, &j);
	}
	assert_true(world_path(&w).window < 1 + 5 + 1);
	world_fini(&w);
}

static void
test_core_throttling_shrinks_the_window_and_never_kills_the_path(void **state)
{
	struct world w;
	struct world_job j;

	(void)state;
	fill(&w, NULL, 100);
	for (unsigned i = 0; i < 50; i++) {
		assert_true(world_job(&w, &j));
		(void)world_result(&w, &j, OUTCOME_DEFERRED, CORE_FB_THROTTLE);
	}
	assert_true(world_path(&w).window == 1);
	assert_int_equal(world_path(&w).state, CORE_PATH_OPEN);
	world_fini(&w);
}

static void
test_core_a_refused_message_says_nothing_about_the_path(void **state)
{
	struct world w;
	struct world_job j;

	(void)state;
	fill(&w, NULL, 100);
	for (unsigned i = 0; i < 50; i++) {
		assert_true(world_job(&w, &j));
		(void)world_result(&w, &j, OUTCOME_FAILED, CORE_FB_OK);
	}
	assert_true(world_path(&w).window >= 5);
	world_fini(&w);
}

static void
test_core_failures_in_a_row_kill_a_path_and_ask_its_jobs_back(void **state)
{
	struct world w;
	struct world_job j[16];
	unsigned n;

	(void)state;
	fill(&w, NULL, 100);
	n = world_jobs(&w, j, 16);
	for (unsigned i = 0; i < 3; i++) {
		world_refuse(&w, &j[i]);
	}
	assert_int_equal(world_path(&w).state, CORE_PATH_DEAD);
	assert_true(world_find(&w, CORE_CANCEL));
	assert_int_equal(w.out.path, j[0].path);
	for (unsigned i = 3; i < n; i++) {
		assert_int_equal(
		    world_result(&w, &j[i], OUTCOME_RETURNED, CORE_FB_OK).fate,
		    CORE_FATE_AGAIN);
	}
	assert_int_equal(world_count(&w, CORE_JOB), 0);
	/* Only the three that were tried count an attempt. */
	assert_int_equal(world_path(&w).queued, 97);
	world_fini(&w);
}

static void
test_core_a_dead_path_is_probed_by_one_message_after_growing_rests(void **state)
{
	static const uint32_t rests[] = { 60, 120, 300, 600, 1200, 2400, 3600,
		3600 };
	struct world w;
	struct world_job j[8];

	(void)state;
	fill(&w, NULL, 100);
	kill_path(&w);
	for (unsigned i = 0; i < array_len(rests); i++) {
		world_pass_s(&w, rests[i] - 1);
		assert_int_equal(world_count(&w, CORE_JOB), 0);
		world_pass_s(&w, 1);
		assert_int_equal(world_jobs(&w, j, 8), 1);
		assert_true(j[0].is_probe);
		assert_int_equal(j[0].conn_limit, 1);
		assert_int_equal(world_path(&w).state, CORE_PATH_PROBING);
		world_refuse(&w, &j[0]);
	}
	world_fini(&w);
}

static void
test_core_a_probe_that_comes_through_opens_the_path_with_a_window_of_two(
    void **state)
{
	struct world w;
	struct world_job j[8];

	(void)state;
	fill(&w, NULL, 100);
	kill_path(&w);
	world_pass_s(&w, 60);
	assert_int_equal(world_jobs(&w, j, 8), 1);
	(void)world_deliver(&w, &j[0]);
	assert_true(world_path(&w).window == 2);
	assert_int_equal(world_jobs(&w, j, 8), 4);
	assert_false(j[0].is_probe);
	world_fini(&w);
}

static void
test_core_a_returned_probe_is_followed_by_another(void **state)
{
	struct world w;
	struct world_job j[8];

	(void)state;
	fill(&w, NULL, 100);
	kill_path(&w);
	world_pass_s(&w, 60);
	assert_int_equal(world_jobs(&w, j, 8), 1);
	assert_int_equal(core_job_return(w.core, j[0].id), 0);
	assert_int_equal(world_jobs(&w, j, 8), 1);
	assert_true(j[0].is_probe);
	world_fini(&w);
}

static void
test_core_what_was_under_way_revives_a_dead_path(void **state)
{
	struct world w;
	struct world_job j[16];

	(void)state;
	fill(&w, NULL, 100);
	assert_int_equal(world_jobs(&w, j, 16), 10);
	for (unsigned i = 0; i < 3; i++) {
		world_refuse(&w, &j[i]);
	}
	(void)world_deliver(&w, &j[3]);
	assert_int_not_equal(world_path(&w).state, CORE_PATH_DEAD);
	world_fini(&w);
}

static void
test_core_a_suspended_path_rests_until_its_time_or_a_word(void **state)
{
	struct world w;
	struct world_job j[64];
	unsigned n;

	(void)state;
	fill(&w, NULL, 100);
	n = world_jobs(&w, j, 64);
	assert_int_equal(
	    core_path_suspend(w.core, j[0].path, w.now_us + 600 * 1000000ULL),
	    0);
	for (unsigned i = 0; i < n; i++) {
		(void)world_deliver(&w, &j[i]);
	}
	assert_int_equal(world_count(&w, CORE_JOB), 0);
	assert_int_equal(world_path(&w).state, CORE_PATH_SUSPENDED);
	world_pass_s(&w, 300);
	assert_int_equal(world_count(&w, CORE_JOB), 0);
	assert_int_equal(core_path_suspend(w.core, j[0].path, 0), 0);
	assert_int_not_equal(world_jobs(&w, j, 64), 0);
	assert_false(j[0].is_probe);
	world_fini(&w);
}

static void
test_core_a_smaller_limit_holds_at_once(void **state)
{
	struct world w;
	struct world_job j[64];
	unsigned n;

	(void)state;
	fill(&w, NULL, 100);
	n = world_jobs(&w, j, 64);
	assert_int_equal(n, 10);
	w.conf.concurrency_limit = 1;
	core_reconfigure(w.core, &w.conf);
	for (unsigned i = 0; i < 8; i++) {
		(void)world_deliver(&w, &j[i]);
	}
	assert_int_equal(world_count(&w, CORE_JOB), 0);
	(void)world_deliver(&w, &j[8]);
	assert_int_equal(world_jobs(&w, j, 64), 1);
	assert_int_equal(j[0].conn_limit, 1);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_a_window_grows_with_success_up_to_its_limit),
		cmocka_unit_test(
		    test_core_an_idle_paths_window_does_not_grow_beyond_its_use),
		cmocka_unit_test(
		    test_core_throttling_shrinks_the_window_and_never_kills_the_path),
		cmocka_unit_test(
		    test_core_a_refused_message_says_nothing_about_the_path),
		cmocka_unit_test(
		    test_core_failures_in_a_row_kill_a_path_and_ask_its_jobs_back),
		cmocka_unit_test(
		    test_core_a_dead_path_is_probed_by_one_message_after_growing_rests),
		cmocka_unit_test(
		    test_core_a_probe_that_comes_through_opens_the_path_with_a_window_of_two),
		cmocka_unit_test(
		    test_core_a_returned_probe_is_followed_by_another),
		cmocka_unit_test(
		    test_core_what_was_under_way_revives_a_dead_path),
		cmocka_unit_test(
		    test_core_a_suspended_path_rests_until_its_time_or_a_word),
		cmocka_unit_test(test_core_a_smaller_limit_holds_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
