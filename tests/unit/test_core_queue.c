#include "core_world.h"

#include <errno.h>
#include <string.h>

/* Messages and recipients: retries, expiry, segments, recovery. */

static struct world_job
first_job(struct world *w)
{
	struct world_job j;

	assert_true(world_job(w, &j));
	return j;
}

static void
test_core_retries_follow_the_schedule_and_its_last_wait_repeats(void **state)
{
	static const uint32_t waits[] = { 120, 300, 600, 1200, 2400, 3600, 7200,
		10800, 10800, 10800 };
	struct world w;

	(void)state;
	world_init(&w, NULL);
	(void)world_mail(&w, 1, world_domain(&w, "a.example"));
	for (unsigned i = 0; i < array_len(waits); i++) {
		struct world_job j = first_job(&w);
		struct core_verdict v;

		assert_int_equal(j.attempt[0], i + 1);
		v = world_defer(&w, &j);
		assert_int_equal(v.fate, CORE_FATE_RETRY);
		assert_int_equal(v.attempts, i + 1);
		assert_int_equal(v.due_s, world_now_s(&w) + waits[i]);
		world_pass_s(&w, waits[i] - 1);
		assert_false(world_next(&w));
		world_pass_s(&w, 1);
	}
	world_fini(&w);
}

static void
test_core_jitter_spreads_messages_but_not_recipients_of_one(void **state)
{
	struct core_config c;
	struct world w;
	uint32_t d, least = UINT32_MAX, most = 0;

	(void)state;
	core_config_init(&c);
	c.window_initial = 20;
	world_init(&w, &c);
	d = world_domain(&w, "a.example");
	for (unsigned i = 0; i < 20; i++) {
		struct core_message m = world_message(&w, 1);
		const struct core_result r = { .outcome = OUTCOME_DEFERRED };
		struct core_verdict v[2];
		struct world_job j;

		(void)world_send(&w, &m, d, 2);
		j = first_job(&w);
		for (uint16_t k = 0; k < 2; k++) {
			assert_int_equal(
			    core_result(w.core, j.id, k, &r, &v[k]), 0);
		}
		assert_int_equal(v[0].due_s, v[1].due_s);
		least = v[0].due_s < least ? v[0].due_s : least;
		most = v[0].due_s > most ? v[0].due_s : most;
	}
	assert_in_range(least, world_now_s(&w) + 108, world_now_s(&w) + 116);
	assert_in_range(most, world_now_s(&w) + 124, world_now_s(&w) + 132);
	world_fini(&w);
}

static void
test_core_a_wanted_wait_is_kept_to_the_second(void **state)
{
	const struct core_result r = { .outcome = OUTCOME_DEFERRED,
		.delay_s = 777 };
	struct core_verdict v;
	struct world w;
	struct world_job j;

	(void)state;
	world_init(&w, NULL);
	(void)world_mail(&w, 1, world_domain(&w, "a.example"));
	j = first_job(&w);
	assert_int_equal(core_result(w.core, j.id, 0, &r, &v), 0);
	assert_int_equal(v.due_s, world_now_s(&w) + 777);
	assert_false(world_next(&w));
	assert_int_equal(core_wake_us(w.core),
	    w.now_us - w.now_us % 1000000 + 60000000); /* the sweep */
	world_fini(&w);
}

static void
test_core_a_returned_recipient_goes_first_and_counts_no_attempt(void **state)
{
	struct core_config c;
	struct world w;
	struct world_job j, k;
	uint32_t d;

	(void)state;
	core_config_init(&c);
	c.window_initial = 1;
	c.credit = 1;
	world_init(&w, &c);
	d = world_domain(&w, "a.example");
	(void)world_mail(&w, 1, d);
	(void)world_mail(&w, 1, d);
	j = first_job(&w);
	(void)world_result(&w, &j, OUTCOME_RETURNED, CORE_FB_OK);
	k = first_job(&w);
	assert_int_equal(k.msg, j.msg);
	assert_int_equal(k.attempt[0], 1);
	assert_int_not_equal(k.id, j.id);
	world_fini(&w);
}

static void
test_core_mail_that_cannot_be_retried_in_its_life_expires(void **state)
{
	struct world w;
	struct world_job j;
	struct core_message m;
	struct core_verdict v;

	(void)state;
	world_init(&w, NULL);
	m = world_message(&w, 1);
	m.expiry_s = world_now_s(&w) + 100;
	(void)world_send(&w, &m, world_domain(&w, "a.example"), 1);
	j = first_job(&w);
	v = world_defer(&w, &j);
	assert_int_equal(v.due_s, m.expiry_s);
	world_pass_s(&w, 99);
	assert_false(world_next(&w));
	world_pass_s(&w, 1);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_EXPIRED);
	assert_int_equal(w.out.attempts, 1);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_MESSAGE_DONE);
	world_fini(&w);
}

static void
test_core_mail_expires_whatever_holds_it_back_but_an_administrator(void **state)
{
	const struct core_tenant t = { .account = 2, .is_paused = true };
	struct world w;
	uint32_t msg, d[2];
	struct core_rcpt held = { .is_held = true };
	struct core_message m;

	(void)state;
	world_init(&w, NULL);
	core_tenant_set(w.core, &t);
	d[0] = world_domain(&w, "a.example");
	d[1] = core_domain(w.core, STR("unanswered.example"));
	(void)world_mail(&w, 2, d[0]);
	(void)world_mail(&w, 1, d[1]);
	m = world_message(&w, 1);
	m.pool = 9; /* without a source */
	(void)world_send(&w, &m, d[0], 1);
	held.domain = d[0];
	m = world_message(&w, 1);
	assert_int_equal(core_add(w.core, &m, &held, 1, &msg), 0);
	world_pass_s(&w, 3 * 86400 - 1);
	assert_int_equal(world_count(&w, CORE_EXPIRED), 0);
	world_pass_s(&w, 61);
	assert_int_equal(world_count(&w, CORE_EXPIRED), 3);
	assert_int_equal(world_state(&w, msg), CORE_RCPT_HELD);
	world_fini(&w);
}

static void
test_core_mail_for_later_waits_beyond_the_wheel_too(void **state)
{
	static const uint32_t waits[] = { 1, 86400, 12 * 86400, 13 * 86400,
		40 * 86400 };
	struct world w;
	uint32_t start;

	(void)state;
	world_init(&w, NULL);
	start = world_now_s(&w);
	for (unsigned i = 0; i < array_len(waits); i++) {
		struct core_message m = world_message(&w, 1);
		struct core_rcpt r = { .due_s = start + waits[i] };
		uint32_t msg;

		r.domain = world_domain(&w, "a.example");
		m.expiry_s = UINT32_MAX;
		assert_int_equal(core_add(w.core, &m, &r, 1, &msg), 0);
	}
	for (unsigned i = 0; i < array_len(waits); i++) {
		struct world_job j;

		while (world_now_s(&w) < start + waits[i]) {
			assert_false(world_next(&w));
			world_pass(&w, core_wake_us(w.core) - w.now_us);
		}
		assert_int_equal(world_now_s(&w), start + waits[i]);
		j = first_job(&w);
		(void)world_deliver(&w, &j);
		(void)world_count(&w, CORE_MESSAGE_DONE);
	}
	world_fini(&w);
}

/* ---- messages and segments
 * ---------------------------------------------------- */

static void
test_core_a_message_is_known_by_its_id_once(void **state)
{
	struct world w;
	struct core_message m;
	struct core_rcpt r = { 0 };
	uint32_t msg, again;

	(void)state;
	world_init(&w, NULL);
	r.domain = world_domain(&w, "a.example");
	m = world_message(&w, 1);
	assert_int_equal(core_find(w.core, &m.id), CORE_NONE);
	assert_int_equal(core_add(w.core, &m, &r, 1, &msg), 0);
	assert_int_equal(core_find(w.core, &m.id), msg);
	assert_int_equal(core_add(w.core, &m, &r, 1, &again), -EEXIST);
	assert_int_equal(again, msg);
	m = world_message(&w, 1);
	m.place.rec_len = 1u << 24;
	assert_int_equal(core_add(w.core, &m, &r, 1, &again), -EINVAL);
	m.place.rec_len = 1;
	assert_int_equal(core_add(w.core, &m, &r, 0, &again), -EINVAL);
	r.domain = 12345;
	assert_int_equal(core_add(w.core, &m, &r, 1, &again), -EINVAL);
	world_fini(&w);
}

static void
test_core_a_message_beyond_the_limits_changes_nothing(void **state)
{
	struct core_config c;
	struct world w;
	struct core_message m;
	struct core_rcpt r[3] = { 0 };
	uint32_t msg;

	(void)state;
	core_config_init(&c);
	c.max_messages = 2;
	c.max_rcpts = 3;
	world_init(&w, &c);
	r[0].domain = r[1].domain = r[2].domain = world_domain(&w, "a.example");
	r[1].ordinal = 1;
	r[2].ordinal = 2;
	(void)world_mail(&w, 1, r[0].domain);
	m = world_message(&w, 1);
	assert_int_equal(core_add(w.core, &m, r, 3, &msg), -ENOSPC);
	(void)world_mail(&w, 1, r[0].domain);
	m = world_message(&w, 1);
	assert_int_equal(core_add(w.core, &m, r, 1, &msg), -ENOSPC);
	assert_int_equal(core_find(w.core, &m.id), CORE_NONE);
	world_fini(&w);
}

static void
test_core_a_pinned_message_outlives_its_recipients(void **state)
{
	struct world w;
	struct world_job j;
	uint32_t msg;

	(void)state;
	world_init(&w, NULL);
	msg = world_mail(&w, 1, world_domain(&w, "a.example"));
	j = first_job(&w);
	core_pin(w.core, msg, true);
	(void)world_result(&w, &j, OUTCOME_FAILED, CORE_FB_OK);
	assert_false(world_next(&w));
	core_pin(w.core, msg, false);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_MESSAGE_DONE);
	world_fini(&w);
}

static void
test_core_segments_count_what_lives_in_them(void **state)
{
	struct world w;
	struct world_job j;
	struct core_segment_view v;
	struct core_place to = {
		.segid = 7, .rec_len = 100, .content_len = 50
	};
	uint32_t msg, d;

	(void)state;
	world_init(&w, NULL);
	d = world_domain(&w, "a.example");
	msg = world_mail(&w, 1, d);
	(void)world_mail(&w, 1, d);
	core_segment_get(w.core, 1, &v);
	assert_int_equal(v.messages, 2);
	assert_int_equal(v.bytes, 9000);
	assert_int_equal(core_move(w.core, msg, &to), 0);
	core_segment_get(w.core, 1, &v);
	assert_int_equal(v.messages, 1);
	core_segment_get(w.core, 7, &v);
	assert_int_equal(v.bytes, 150);
	j = first_job(&w);
	assert_int_equal(w.out.place.segid, 7);
	(void)world_deliver(&w, &j);
	assert_true(world_find(&w, CORE_MESSAGE_DONE));
	assert_true(world_find(&w, CORE_SEGMENT_EMPTY));
	assert_int_equal(w.out.segid, 7);
	world_fini(&w);
}

static void
test_core_a_message_that_the_journal_does_not_have_yet_waits(void **state)
{
	struct world w;
	struct core_message m;
	uint32_t msg;

	(void)state;
	world_init(&w, NULL);
	m = world_message(&w, 1);
	m.accept_lsn = 0;
	msg = world_send(&w, &m, world_domain(&w, "a.example"), 3);
	assert_false(world_next(&w));
	core_set_lsn(w.core, msg, 99);
	(void)first_job(&w);
	assert_int_equal(w.out.accept_lsn, 99);
	world_fini(&w);
}

/* ---- recovery
 * ------------------------------------------------------------------- */

static void
test_core_replayed_facts_lead_to_the_same_queue_any_number_of_times(
    void **state)
{
	struct world w, v;
	struct core_message m;
	struct core_rcpt r[4] = { 0 };
	uint32_t msg, late;
	uint64_t sum = 0;

	(void)state;
	world_init(&w, NULL);
	m = world_message(&w, 1);
	late = world_now_s(&w) + 900;
	for (uint16_t i = 0; i < 4; i++) {
		r[i].ordinal = i;
		r[i].domain = world_domain(&w, "a.example");
	}
	r[1].attempts = 2;
	r[1].due_s = late;
	r[2].is_held = true;
	assert_int_equal(core_add(w.core, &m, r, 3, &msg), 0);
	for (unsigned times = 1; times < 4; times++) {
		v = w;
		v.core = core_new(&w.conf, w.now_us);
		for (uint16_t i = 0; i < 4; i++) {
			r[i] = (struct core_rcpt){ .ordinal = i,
				.domain =
				    core_domain(v.core, STR("a.example")) };
		}
		assert_int_equal(core_add(v.core, &m, r, 4, &msg), 0);
		for (unsigned i = 0; i < times; i++) {
			struct core_rcpt f = {
				.ordinal = 1, .attempts = 2, .due_s = late
			};

			assert_int_equal(core_replay(v.core, msg, &f), 0);
			f = (struct core_rcpt){ .ordinal = 2, .is_held = true };
			assert_int_equal(core_replay(v.core, msg, &f), 0);
			assert_int_equal(core_replay_final(v.core, msg, 3),
			    i == 0 ? 0 : -ENOENT);
		}
		sum = core_sum(v.core);
		core_free(&v.core);
		assert_true(sum == core_sum(w.core));
	}
	world_fini(&w);
}

static void
test_core_recovery_says_nothing_and_then_goes_on(void **state)
{
	struct world w;
	struct core_message m;
	struct core_rcpt r[2] = { 0 };
	struct world_job j;
	uint32_t msg, gone;

	(void)state;
	world_init(&w, NULL);
	core_free(&w.core);
	w.core = core_new(&w.conf, w.now_us);
	assert_int_equal(core_source_set(w.core, 0, 0, true), 0);
	r[0].domain = world_domain(&w, "a.example");
	m = world_message(&w, 1);
	assert_int_equal(core_add(w.core, &m, r, 1, &msg), 0);
	m = world_message(&w, 1);
	m.place.segid = 5;
	assert_int_equal(core_add(w.core, &m, r, 1, &gone), 0);
	assert_int_equal(core_replay_final(w.core, gone, 0), 0);
	assert_false(core_advance(w.core, w.now_us));
	assert_false(world_next(&w));
	core_start(w.core);
	world_pass(&w, 0);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_SEGMENT_EMPTY);
	assert_int_equal(w.out.segid, 5);
	j = first_job(&w);
	assert_int_equal(j.msg, msg);
	assert_false(world_next(&w));
	world_fini(&w);
}

static void
test_core_a_job_from_before_a_restart_is_not_given_out_again(void **state)
{
	const uint16_t ordinals[] = { 0, 1, 7 };
	const struct core_result r = { .outcome = OUTCOME_DELIVERED };
	struct core_verdict v;
	struct world w;
	struct world_job j;
	struct core_message m;
	uint64_t job;
	uint32_t msg, d;

	(void)state;
	world_init(&w, NULL);
	d = world_domain(&w, "a.example");
	m = world_message(&w, 1);
	msg = world_send(&w, &m, d, 3);
	assert_int_equal(
	    core_adopt(w.core, msg, core_site_find(w.core, STR("a.example")), 0,
		ordinals, 3, &job),
	    0);
	j = first_job(&w);
	assert_int_equal(j.n, 1);
	assert_int_equal(j.ordinal[0], 2);
	assert_int_equal(world_path(&w).inflight, 2);
	assert_int_equal(core_result(w.core, job, 0, &r, &v), 0);
	assert_int_equal(core_result(w.core, job, 1, &r, &v), 0);
	assert_int_equal(core_result(w.core, job, 1, &r, &v), -ENOENT);
	assert_int_equal(world_path(&w).inflight, 1);
	world_fini(&w);
}

static void
test_core_a_late_result_counts_for_a_recipient_that_waits(void **state)
{
	struct core_result r = { .outcome = OUTCOME_DEFERRED };
	struct core_verdict v;
	struct world w;
	struct core_message m;
	uint32_t msg;

	(void)state;
	world_init(&w, NULL);
	m = world_message(&w, 1);
	msg = world_send(&w, &m, world_domain(&w, "a.example"), 2);
	assert_int_equal(core_result_late(w.core, msg, 0, &r, &v), 0);
	assert_int_equal(v.due_s, world_now_s(&w) + 120);
	r.outcome = OUTCOME_DELIVERED;
	assert_int_equal(core_result_late(w.core, msg, 1, &r, &v), 0);
	assert_int_equal(core_result_late(w.core, msg, 1, &r, &v), -ENOENT);
	assert_int_equal(world_count(&w, CORE_JOB), 0);
	assert_int_equal(world_state(&w, msg), CORE_RCPT_WAITING);
	world_fini(&w);
}

static void
test_core_a_walk_sees_every_message_once_while_others_come_and_go(void **state)
{
	struct core_config c;
	struct world w;
	uint8_t seen[20000] = { 0 };
	uint32_t kept[1000];
	uint32_t at = 0, msg, d;
	int r;

	(void)state;
	core_config_init(&c);
	c.slice = 7;
	c.window_initial = 1;
	world_init(&w, &c);
	d = world_domain(&w, "a.example");
	for (unsigned i = 0; i < 1000; i++) {
		struct core_message m = world_message(&w, 1);
		struct core_rcpt held = { .domain = d, .is_held = true };

		assert_int_equal(core_add(w.core, &m, &held, 1, &kept[i]), 0);
		(void)world_mail(&w, 1, d);
	}
	while ((r = core_walk(w.core, &at, &msg)) != 0) {
		struct world_job j;

		if (r == 1) {
			seen[msg]++;
		}
		(void)world_mail(&w, 1, d);
		for (unsigned i = 0; i < 3 && world_job(&w, &j); i++) {
			(void)world_deliver(&w, &j);
		}
	}
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(seen[kept[i]], 1);
	}
	world_fini(&w);
}

static void
test_core_a_queued_recipient_takes_at_most_100_bytes(void **state)
{
	struct world w;
	uint32_t d;
	uint64_t before;

	(void)state;
	world_init(&w, NULL);
	d = world_domain(&w, "a.example");
	before = core_memory_bytes(w.core);
	assert_true(before < 20 << 20);
	for (unsigned i = 0; i < 100000; i++) {
		(void)world_mail(&w, 1, d);
	}
	assert_true(core_memory_bytes(w.core) - before < 100000 * 100 + 1000);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_retries_follow_the_schedule_and_its_last_wait_repeats),
		cmocka_unit_test(
		    test_core_jitter_spreads_messages_but_not_recipients_of_one),
		cmocka_unit_test(test_core_a_wanted_wait_is_kept_to_the_second),
		cmocka_unit_test(
		    test_core_a_returned_recipient_goes_first_and_counts_no_attempt),
		cmocka_unit_test(
		    test_core_mail_that_cannot_be_retried_in_its_life_expires),
		cmocka_unit_test(
		    test_core_mail_expires_whatever_holds_it_back_but_an_administrator),
		cmocka_unit_test(
		    test_core_mail_for_later_waits_beyond_the_wheel_too),
		cmocka_unit_test(test_core_a_message_is_known_by_its_id_once),
		cmocka_unit_test(
		    test_core_a_message_beyond_the_limits_changes_nothing),
		cmocka_unit_test(
		    test_core_a_pinned_message_outlives_its_recipients),
		cmocka_unit_test(test_core_segments_count_what_lives_in_them),
		cmocka_unit_test(
		    test_core_a_message_that_the_journal_does_not_have_yet_waits),
		cmocka_unit_test(
		    test_core_replayed_facts_lead_to_the_same_queue_any_number_of_times),
		cmocka_unit_test(
		    test_core_recovery_says_nothing_and_then_goes_on),
		cmocka_unit_test(
		    test_core_a_job_from_before_a_restart_is_not_given_out_again),
		cmocka_unit_test(
		    test_core_a_late_result_counts_for_a_recipient_that_waits),
		cmocka_unit_test(
		    test_core_a_walk_sees_every_message_once_while_others_come_and_go),
		cmocka_unit_test(
		    test_core_a_queued_recipient_takes_at_most_100_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
