#include "core_world.h"

#include <string.h>

/* Limits of every level, overrides, and quotas of the hour. */

static void
limit(struct world *w, enum core_level level, uint32_t index, uint32_t sub,
    struct core_limits l)
{
	const struct core_object o = { level, index, sub };

	assert_int_equal(core_limits_set(w->core, &o, &l), 0);
}

static struct core_config
large(void)
{
	struct core_config c;

	core_config_init(&c);
	c.jitter_percent = 0;
	c.window_initial = 20;
	return c;
}

/* A world with 100 messages of account 1, subaccount 2, for one site. */
static uint32_t
crowd(struct world *w)
{
	struct core_config c = large();
	uint32_t d;

	world_init(w, &c);
	d = world_domain(w, "a.example");
	for (unsigned i = 0; i < 100; i++) {
		struct core_message m = world_message(w, 1);

		m.subaccount = 2;
		(void)world_send(w, &m, d, 1);
	}
	return core_site_find(w->core, STR("a.example"));
}

static void
test_core_each_level_limits_transactions_at_a_time(void **state)
{
	const struct core_limits l = { .max_conn = 3 };
	struct world_job j[8];

	(void)state;
	for (unsigned i = 0; i < CORE_LEVELS + 2; i++) {
		/* The last two: of one source at a site, at a provider. */
		unsigned level = i % CORE_LEVELS;
		uint32_t sub = level == CORE_LEVEL_SUBACCOUNT ? 2
		    : i >= CORE_LEVELS			      ? CORE_FROM(0)
							      : 0;
		struct world w;
		uint32_t site = crowd(&w);
		uint32_t d = core_domain_find(w.core, STR("a.example"));
		uint32_t p = core_provider(w.core, STR("provider"), NULL);
		const uint32_t index[] = { site, p, 0, 1, 1 };

		core_site_answer(
		    w.core, d, CORE_ANSWER_SITE, site, p, UINT32_MAX);
		limit(&w, (enum core_level)level, index[level], sub, l);
		assert_int_equal(world_jobs(&w, j, 8), 3);
		(void)world_deliver(&w, &j[1]);
		assert_int_equal(world_jobs(&w, j, 8), 1);
		limit(&w, (enum core_level)level, index[level], sub,
		    (struct core_limits){ .max_conn = 4 });
		assert_int_equal(world_jobs(&w, j, 8), 1);
		world_fini(&w);
	}
}

static void
test_core_a_rate_spreads_jobs_evenly_after_its_burst(void **state)
{
	const struct core_limits l = {
		.rate_msgs = 10, .rate_s = 60, .burst = 3
	};
	struct world w;
	struct world_job j[8];

	(void)state;
	limit(&w, CORE_LEVEL_SITE, crowd(&w), 0, l);
	assert_int_equal(world_jobs(&w, j, 8), 3);
	assert_int_equal(core_wake_us(w.core), w.now_us + 6000000);
	world_pass(&w, 5999999);
	assert_false(world_next(&w));
	world_pass(&w, 1);
	assert_int_equal(world_jobs(&w, j, 8), 1);
	world_pass_s(&w, 12);
	assert_int_equal(world_jobs(&w, j, 8), 2);
	world_fini(&w);
}

static void
test_core_a_rate_below_a_second_is_not_exceeded_either(void **state)
{
	const struct core_limits l = { .rate_msgs = 7, .rate_s = 1 };
	struct world w;
	struct world_job j[8];
	unsigned n = 0;
	uint64_t end;

	(void)state;
	(void)crowd(&w);
	limit(&w, CORE_LEVEL_SOURCE, 0, 0, l);
	end = w.now_us + 5000000;
	while (w.now_us < end) {
		unsigned k = world_jobs(&w, j, 8);

		for (unsigned i = 0; i < k; i++) {
			(void)world_deliver(&w, &j[i]);
		}
		n += k;
		assert_true(core_wake_us(w.core) > w.now_us ||
		    core_next(w.core, &w.out));
		world_pass(&w, core_wake_us(w.core) - w.now_us);
	}
	assert_int_equal(n, 35);
	world_fini(&w);
}

static void
test_core_waiting_paths_of_a_provider_take_turns(void **state)
{
	struct core_config c = large();
	struct world w;
	struct world_job j;
	uint32_t p, d[2];
	unsigned of[8] = { 0 };

	(void)state;
	world_init(&w, &c);
	p = core_provider(w.core, STR("provider"), NULL);
	limit(&w, CORE_LEVEL_PROVIDER, p, 0,
	    (struct core_limits){ .max_conn = 1 });
	d[0] = world_domain(&w, "a.example");
	d[1] = world_domain(&w, "b.example");
	core_site_answer(w.core, d[0], CORE_ANSWER_SITE, 1, p, UINT32_MAX);
	core_site_answer(w.core, d[1], CORE_ANSWER_SITE, 2, p, UINT32_MAX);
	for (unsigned i = 0; i < 50; i++) {
		(void)world_mail(&w, 1, d[0]);
		(void)world_mail(&w, 1, d[1]);
	}
	for (unsigned i = 0; i < 40; i++) {
		assert_true(world_job(&w, &j));
		of[j.site]++;
		assert_false(world_next(&w));
		(void)world_deliver(&w, &j);
	}
	assert_in_range(of[1], 19, 21);
	world_fini(&w);
}

static void
test_core_an_idle_connection_counts_until_another_path_needs_its_place(
    void **state)
{
	const struct core_conns closed = {
		.open = -1, .usable = -1, .ready = -1, .asked = 1
	};
	struct world w;
	struct world_job j;
	uint32_t p, d[2];

	(void)state;
	world_init(&w, NULL);
	p = core_provider(w.core, STR("provider"), NULL);
	limit(&w, CORE_LEVEL_PROVIDER, p, 0,
	    (struct core_limits){ .max_conn = 1 });
	d[0] = world_domain(&w, "a.example");
	d[1] = world_domain(&w, "b.example");
	core_site_answer(w.core, d[0], CORE_ANSWER_SITE, 1, p, UINT32_MAX);
	core_site_answer(w.core, d[1], CORE_ANSWER_SITE, 2, p, UINT32_MAX);
	(void)world_mail(&w, 1, d[0]);
	assert_true(world_job(&w, &j));
	assert_true(j.may_open);
	(void)world_deliver(&w, &j);
	w.is_silent = true;
	(void)world_mail(&w, 1, d[1]);
	assert_true(world_find(&w, CORE_CLOSE));
	assert_int_equal(w.out.path, j.path);
	assert_int_equal(w.out.conns, 1);
	assert_false(world_find(&w, CORE_JOB));
	core_conns_changed(w.core, j.path, &closed);
	assert_true(world_job(&w, &j));
	assert_true(j.may_open);
	world_fini(&w);
}

static void
test_core_new_connections_are_spread_evenly_and_open_ones_go_on(void **state)
{
	const struct core_limits l = { .rate_conns = 6, .rate_conn_s = 60 };
	const struct core_conns gone = {
		.open = -1, .usable = -1, .ready = -1
	};
	struct world w;
	struct world_job j[8];

	(void)state;
	limit(&w, CORE_LEVEL_SITE, crowd(&w), 0, l);
	/* One opens, and one more goes behind it. */
	assert_int_equal(world_jobs(&w, j, 8), 2);
	assert_true(j[0].may_open);
	assert_false(j[1].may_open);
	(void)world_deliver(&w, &j[0]);
	(void)world_deliver(&w, &j[1]);
	core_conns_changed(w.core, j[0].path, &gone);
	assert_false(world_find(&w, CORE_JOB));
	world_pass(&w, 9999999);
	assert_false(world_find(&w, CORE_JOB));
	world_pass(&w, 1);
	assert_int_equal(world_jobs(&w, j, 1), 1);
	assert_true(j[0].may_open);
	world_fini(&w);
}

static void
test_core_nothing_is_given_out_ahead_under_a_rate_or_where_jobs_came_back(
    void **state)
{
	const struct core_limits rate = {
		.rate_msgs = 100, .rate_s = 1, .burst = 50, .window_max = 1
	};
	struct world w;
	struct world_job j[8];

	(void)state;
	limit(&w, CORE_LEVEL_SITE, crowd(&w), 0, rate);
	assert_int_equal(world_jobs(&w, j, 8), 1);
	world_fini(&w);
	limit(&w, CORE_LEVEL_SITE, crowd(&w), 0,
	    (struct core_limits){ .window_max = 1 });
	assert_int_equal(world_jobs(&w, j, 8), 2);
	assert_int_equal(core_job_return(w.core, j[1].id), 0);
	assert_false(world_find(&w, CORE_JOB));
	(void)world_deliver(&w, &j[0]);
	assert_int_equal(world_jobs(&w, j, 8), 2);
	world_fini(&w);
}

static void
test_core_limits_of_a_connection_are_told_with_the_job(void **state)
{
	struct world w;

	(void)state;
	limit(&w, CORE_LEVEL_SITE, crowd(&w), 0,
	    (struct core_limits){ .conn_msgs = 100, .conn_s = 60 });
	limit(&w, CORE_LEVEL_SOURCE, 0, 0,
	    (struct core_limits){ .conn_msgs = 20, .max_conn = 7 });
	assert_true(world_find(&w, CORE_JOB));
	assert_int_equal(w.out.job.conn_messages, 20);
	assert_int_equal(w.out.job.conn_seconds, 60);
	assert_int_equal(w.out.job.conn_limit, 7);
	world_fini(&w);
}

static void
test_core_an_override_ends_by_itself(void **state)
{
	const struct core_limits stop = { .is_paused = true };
	struct core_object o = { .level = CORE_LEVEL_SITE };
	struct core_limits l;
	struct world w;
	struct world_job j[64];
	uint64_t until_us;

	(void)state;
	o.index = crowd(&w);
	assert_int_equal(
	    core_limits_override(w.core, &o, &stop, w.now_us + 90000000), 0);
	assert_false(world_next(&w));
	assert_int_equal(core_limits_get(w.core, &o, &l, &until_us), 0);
	assert_true(l.is_paused);
	assert_int_equal(until_us, w.now_us + 90000000);
	world_pass_s(&w, 89);
	assert_false(world_next(&w));
	world_pass_s(&w, 1);
	assert_int_equal(world_jobs(&w, j, 64), 40);
	assert_int_equal(core_limits_get(w.core, &o, &l, &until_us), 0);
	assert_false(l.is_paused);
	assert_true(until_us == UINT64_MAX);
	world_fini(&w);
}

static void
test_core_a_paused_tenant_waits_and_others_do_not(void **state)
{
	struct core_tenant t = {
		.account = 1, .weight = 100, .is_paused = true
	};
	struct world w;
	struct world_job j[64];
	struct core_path_view v;

	(void)state;
	(void)crowd(&w);
	core_tenant_set(w.core, &t);
	assert_false(world_next(&w));
	v = world_path(&w);
	assert_true(v.is_tenant_blocked);
	assert_int_equal(v.queued, 100);
	(void)world_mail(&w, 2, core_domain_find(w.core, STR("a.example")));
	assert_int_equal(world_jobs(&w, j, 64), 1);
	assert_int_equal(j[0].account, 2);
	t.is_paused = false;
	core_tenant_set(w.core, &t);
	assert_int_equal(world_jobs(&w, j, 64), 39);
	world_fini(&w);
}

static void
test_core_beyond_its_quota_mail_waits_for_the_hour_and_is_told_once(
    void **state)
{
	const struct core_tenant t = {
		.account = 1, .weight = 100, .hourly_quota = 10
	};
	struct core_tenant_view v;
	struct world w;
	struct world_job j[64];
	uint32_t turn_s;
	unsigned n;

	(void)state;
	(void)crowd(&w);
	core_tenant_set(w.core, &t);
	turn_s = world_now_s(&w) / 3600 * 3600 + 3600;
	n = world_jobs(&w, j, 10);
	assert_int_equal(n, 10);
	assert_true(world_find(&w, CORE_RATE_LIMITED));
	assert_int_equal(w.out.quota, 10);
	assert_int_equal(w.out.due_s, turn_s);
	assert_int_equal(world_count(&w, CORE_RATE_LIMITED), 89);
	for (unsigned i = 0; i < n; i++) {
		(void)world_deliver(&w, &j[i]);
	}
	(void)world_mail(&w, 1, core_domain_find(w.core, STR("a.example")));
	assert_int_equal(world_count(&w, CORE_RATE_LIMITED), 1);
	world_pass_s(&w, turn_s - world_now_s(&w) - 1);
	assert_int_equal(world_count(&w, CORE_JOB), 0);
	world_pass_s(&w, 1);
	assert_int_equal(world_jobs(&w, j, 64), 10);
	assert_int_equal(world_count(&w, CORE_RATE_LIMITED), 0);
	assert_int_equal(core_tenant_get(w.core, 1, 0, &v), 0);
	assert_int_equal(v.quota_used, 10);
	assert_int_equal(v.queued, 91);
	world_fini(&w);
}

/* Counts what is told of the quota, and takes and delivers all jobs. */
static unsigned
deliver_all(struct world *w, unsigned *told, uint32_t *msgs, unsigned max)
{
	struct world_job j = { .n = 0 };
	unsigned n = 0;

	while (world_next(w)) {
		*told += w->out.kind == CORE_RATE_LIMITED;
		if (w->out.kind == CORE_JOB) {
			assert_true(n < max);
			world_take(w, &j);
			msgs[n++] = j.msg;
			(void)world_deliver(w, &j);
		}
	}
	return n;
}

static void
test_core_when_the_hour_allows_priority_goes_first_and_nobody_is_told_twice(
    void **state)
{
	const struct core_tenant t = {
		.account = 1, .weight = 100, .hourly_quota = 3
	};
	struct world w;
	struct core_message m;
	uint32_t priority[2], msgs[16];
	uint32_t domain;
	unsigned told = 0;

	(void)state;
	world_init(&w, NULL);
	core_tenant_set(w.core, &t);
	domain = world_domain(&w, "a.example");
	world_pass_s(&w, 3600 - world_now_s(&w) % 3600);
	for (unsigned i = 0; i < 9; i++) {
		(void)world_mail(&w, 1, domain);
	}
	assert_int_equal(deliver_all(&w, &told, msgs, 16), 3);
	assert_int_equal(told, 6);
	for (unsigned i = 0; i < 2; i++) {
		m = world_message(&w, 1);
		m.class = CORE_PRIORITY;
		priority[i] = world_send(&w, &m, domain, 1);
	}
	assert_int_equal(deliver_all(&w, &told, msgs, 16), 0);
	assert_int_equal(told, 8);
	world_pass_s(&w, 3600);
	assert_int_equal(deliver_all(&w, &told, msgs, 16), 3);
	assert_int_equal(msgs[0], priority[0]);
	assert_int_equal(msgs[1], priority[1]);
	world_pass_s(&w, 3600);
	assert_int_equal(deliver_all(&w, &told, msgs, 16), 3);
	world_pass_s(&w, 3600);
	assert_int_equal(deliver_all(&w, &told, msgs, 16), 2);
	assert_int_equal(told, 8);
	world_fini(&w);
}

static void
test_core_a_quota_limits_the_recipients_of_a_job(void **state)
{
	const struct core_tenant t = {
		.account = 1, .weight = 100, .hourly_quota = 3
	};
	struct world w;
	struct world_job j;
	struct core_message m;

	(void)state;
	world_init(&w, NULL);
	core_tenant_set(w.core, &t);
	m = world_message(&w, 1);
	(void)world_send(&w, &m, world_domain(&w, "a.example"), 10);
	assert_true(world_job(&w, &j));
	assert_int_equal(j.n, 3);
	assert_int_equal(world_count(&w, CORE_RATE_LIMITED), 1);
	/* What was not tried is not used. */
	(void)world_result(&w, &j, OUTCOME_RETURNED, CORE_FB_OK);
	assert_true(world_job(&w, &j));
	assert_int_equal(j.n, 3);
	/* What was tried once does not count again. */
	(void)world_defer(&w, &j);
	world_pass_s(&w, 120);
	assert_int_equal(world_count(&w, CORE_JOB), 0);
	world_fini(&w);
}

static void
test_core_what_was_used_of_a_quota_survives_a_restart(void **state)
{
	const struct core_tenant t = {
		.account = 1, .weight = 100, .hourly_quota = 10
	};
	struct world w;
	struct world_job j[16];

	(void)state;
	(void)crowd(&w);
	core_quota_set(w.core, 1, 0, world_now_s(&w) / 3600, 8);
	core_tenant_set(w.core, &t);
	assert_int_equal(world_jobs(&w, j, 16), 2);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_each_level_limits_transactions_at_a_time),
		cmocka_unit_test(
		    test_core_a_rate_spreads_jobs_evenly_after_its_burst),
		cmocka_unit_test(
		    test_core_a_rate_below_a_second_is_not_exceeded_either),
		cmocka_unit_test(
		    test_core_waiting_paths_of_a_provider_take_turns),
		cmocka_unit_test(
		    test_core_an_idle_connection_counts_until_another_path_needs_its_place),
		cmocka_unit_test(
		    test_core_new_connections_are_spread_evenly_and_open_ones_go_on),
		cmocka_unit_test(
		    test_core_nothing_is_given_out_ahead_under_a_rate_or_where_jobs_came_back),
		cmocka_unit_test(
		    test_core_limits_of_a_connection_are_told_with_the_job),
		cmocka_unit_test(test_core_an_override_ends_by_itself),
		cmocka_unit_test(
		    test_core_a_paused_tenant_waits_and_others_do_not),
		cmocka_unit_test(
		    test_core_beyond_its_quota_mail_waits_for_the_hour_and_is_told_once),
		cmocka_unit_test(
		    test_core_when_the_hour_allows_priority_goes_first_and_nobody_is_told_twice),
		cmocka_unit_test(
		    test_core_a_quota_limits_the_recipients_of_a_job),
		cmocka_unit_test(
		    test_core_what_was_used_of_a_quota_survives_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
