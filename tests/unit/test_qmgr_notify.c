/* Which senders are told of what, and that they are told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "clock.h"
#include "dsn.h"
#include "fake_loop.h"
#include "qmgr_world.h"

/* A quarter of the time after which senders are warned. */
#define QUARTER_US (180 * US_PER_S)

static int
begin(void **state)
{
	(void)world_setup(state);
	world_conf("delay_warning_time = 12m\n");
	world_start();
	w.seg = world_seg(0, 1, 1);
	return 0;
}

/* A message of an account that keeps its envelope sender. */
static void
send_plain(uint8_t notify)
{
	(void)world_send(&(struct world_mail){
	    .flags = MESSAGE_PLAIN_SENDER, .notify = { notify } });
}

static void
restart(void)
{
	world_kill();
	world_start();
}

/* So long every attempt is put off. */
static void
pass_deferring(unsigned quarters)
{
	for (unsigned i = 0; i < quarters * 2; i++) {
		if (world_open_jobs() > 0) {
			world_finish(OUTCOME_DEFERRED);
		} else {
			w.n_jobs = 0;
		}
		fake_loop_pass(QUARTER_US / 2);
	}
	world_settle();
}

/* The next attempt is the last one. */
static void
fail_at_last(void)
{
	for (unsigned i = 0; i < 24 && world_open_jobs() == 0; i++) {
		w.n_jobs = 0;
		fake_loop_pass(QUARTER_US / 2);
	}
	world_finish(OUTCOME_FAILED);
}

static void
test_a_plain_sender_is_told_by_a_notification(void **state)
{
	(void)state;
	send_plain(0);
	world_finish(OUTCOME_FAILED);
	assert_int_equal(w.dsns, 1);
	assert_int_equal(w.last_action, DSN_FAILED);
	world_sync(w.seg, true);
	assert_true(world_seg_exists(world_segid(w.seg)));
	world_dsn_done();
	assert_int_equal(world_events(EVENT_dsn_written), 1);
	assert_false(world_seg_exists(world_segid(w.seg)));
}

static void
test_notify_never_means_no_notification(void **state)
{
	(void)state;
	send_plain(RCPT_NOTIFY_NEVER);
	pass_deferring(6);
	fail_at_last();
	assert_int_equal(w.dsns, 0);
	assert_int_equal(world_queued(), 0);
}

static void
test_success_is_told_when_the_server_will_not(void **state)
{
	(void)state;
	send_plain(RCPT_NOTIFY_SUCCESS);
	w.esmtp = "PIPELINING 8BITMIME XDSN";
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(w.dsns, 1);
	assert_int_equal(w.last_action, DSN_RELAYED);
	assert_string_equal(w.last_status, "2.0.0");
	restart();
	assert_int_equal(w.dsns, 2);
	world_dsn_done();
	assert_int_equal(world_queued(), 0);
	restart();
	assert_int_equal(w.dsns, 2);
}

static void
test_success_is_left_to_a_server_with_dsn(void **state)
{
	(void)state;
	send_plain(RCPT_NOTIFY_SUCCESS);
	w.esmtp = "PIPELINING DSN 8BITMIME";
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(w.dsns, 0);
	assert_int_equal(world_queued(), 0);
}

static void
test_success_is_not_told_unasked(void **state)
{
	(void)state;
	send_plain(0);
	send_plain(RCPT_NOTIFY_FAILURE | RCPT_NOTIFY_DELAY);
	world_finish(OUTCOME_DELIVERED);
	(void)world_send(
	    &(struct world_mail){ .notify = { RCPT_NOTIFY_SUCCESS } });
	world_finish(OUTCOME_DELIVERED); /* this account has events */
	assert_int_equal(w.dsns, 0);
}

static void
test_success_wanted_only_hears_of_no_failure(void **state)
{
	(void)state;
	send_plain(RCPT_NOTIFY_SUCCESS);
	world_finish(OUTCOME_FAILED);
	assert_int_equal(w.dsns, 0);
}

static void
test_each_fate_has_a_notification_of_its_own(void **state)
{
	(void)state;
	(void)world_send(&(struct world_mail){ .flags = MESSAGE_PLAIN_SENDER,
	    .rcpts = { "a@one.test", "b@one.test", "c@one.test" },
	    .notify = { RCPT_NOTIFY_SUCCESS, 0, RCPT_NOTIFY_FAILURE } });
	assert_int_equal(w.jobs[0].n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		bool is_first = w.jobs[0].ordinals[i] == 0;

		world_result(&w.jobs[0], i,
		    is_first ? OUTCOME_DELIVERED : OUTCOME_FAILED, "said");
	}
	world_settle();
	for (int i = 0; i < 3 && world_events(EVENT_dsn_written) < 3; i++) {
		world_dsn_done();
	}
	assert_int_equal(w.told[DSN_FAILED], 2);
	assert_int_equal(w.told[DSN_RELAYED], 1);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_delay_is_told_once(void **state)
{
	(void)state;
	send_plain(0);
	pass_deferring(3);
	assert_int_equal(w.dsns, 0);
	pass_deferring(2);
	assert_int_equal(w.dsns, 1);
	assert_int_equal(w.last_action, DSN_DELAYED);
	world_dsn_done();
	pass_deferring(6);
	restart();
	pass_deferring(6);
	world_checkpoint();
	restart();
	pass_deferring(6);
	assert_int_equal(w.dsns, 1);
	assert_int_equal(world_queued(), 1);
}

static void
test_the_status_of_a_delay_is_that_of_the_last_reply(void **state)
{
	(void)state;
	send_plain(RCPT_NOTIFY_DELAY);
	world_result(&w.jobs[0], 0, OUTCOME_DEFERRED, "451 4.7.1 later");
	world_settle();
	fake_loop_pass(250 * US_PER_S);
	world_result(&w.jobs[1], 0, OUTCOME_DEFERRED, "451 4.7.1 later");
	fake_loop_pass(5 * QUARTER_US);
	assert_int_equal(w.dsns, 1);
	assert_string_equal(w.last_status, "4.7.1");
}

static void
test_a_delay_is_told_before_the_first_attempt_too(void **state)
{
	(void)state;
	(void)world_send(&(struct world_mail){ .flags = MESSAGE_PLAIN_SENDER,
	    .rcpts = { "a@later.test", "b@later.test" } });
	fake_loop_pass(5 * QUARTER_US);
	assert_int_equal(w.n_jobs, 0);
	assert_int_equal(w.dsns, 1);
	assert_int_equal(w.told[DSN_DELAYED], 2);
}

static void
test_a_delay_is_told_to_those_who_want_it(void **state)
{
	(void)state;
	send_plain(RCPT_NOTIFY_FAILURE);
	send_plain(RCPT_NOTIFY_SUCCESS);
	(void)world_send(&(struct world_mail){ 0 });
	pass_deferring(6);
	assert_int_equal(w.dsns, 0);
}

static void
test_what_is_sent_later_is_late_from_then_on(void **state)
{
	(void)state;
	(void)world_send(&(struct world_mail){ .flags = MESSAGE_PLAIN_SENDER,
	    .not_before_us = clock_wall_us() + 24 * QUARTER_US });
	pass_deferring(26);
	assert_int_equal(w.dsns, 0);
	pass_deferring(3);
	assert_int_equal(w.dsns, 1);
}

static void
test_the_time_of_the_warning_is_a_parameter(void **state)
{
	(void)state;
	world_kill();
	world_conf("delay_warning_time = 0\n");
	world_start();
	send_plain(0);
	pass_deferring(12);
	assert_int_equal(w.dsns, 0);
	world_kill();
	world_conf("delay_warning_time = 39m\n");
	world_start();
	pass_deferring(2);
	assert_int_equal(w.dsns, 1);
}

static void
test_a_failure_is_told_while_the_warning_is_under_way(void **state)
{
	(void)state;
	send_plain(0);
	pass_deferring(5);
	assert_int_equal(w.last_action, DSN_DELAYED);
	fail_at_last();
	assert_int_equal(w.dsns, 1);
	world_dsn_done();
	assert_int_equal(w.dsns, 2);
	assert_int_equal(w.last_action, DSN_FAILED);
	restart();
	assert_int_equal(w.dsns, 3);
	assert_int_equal(w.last_action, DSN_FAILED);
	world_dsn_done();
	assert_int_equal(world_queued(), 0);
}

static void
test_a_suppressed_recipient_is_told_as_a_failure(void **state)
{
	(void)state;
	send_plain(RCPT_BLOCKED);
	assert_int_equal(world_events(EVENT_blocked), 1);
	assert_int_equal(w.dsns, 1);
	assert_int_equal(w.last_action, DSN_FAILED);
	assert_string_equal(w.last_status, "5.7.1");
	world_dsn_done();
	assert_int_equal(world_queued(), 0);
}

static void
test_a_test_message_sends_nothing_to_its_sender(void **state)
{
	(void)state;
	(void)world_send(
	    &(struct world_mail){ .flags = MESSAGE_PLAIN_SENDER | MESSAGE_TEST,
		.notify = { RCPT_NOTIFY_SUCCESS } });
	assert_int_equal(world_events(EVENT_delivery), 1);
	assert_int_equal(w.dsns, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, world_end)
	const struct CMUnitTest tests[] = {
		T(test_a_plain_sender_is_told_by_a_notification),
		T(test_notify_never_means_no_notification),
		T(test_success_is_told_when_the_server_will_not),
		T(test_success_is_left_to_a_server_with_dsn),
		T(test_success_is_not_told_unasked),
		T(test_success_wanted_only_hears_of_no_failure),
		T(test_each_fate_has_a_notification_of_its_own),
		T(test_a_delay_is_told_once),
		T(test_the_status_of_a_delay_is_that_of_the_last_reply),
		T(test_a_delay_is_told_before_the_first_attempt_too),
		T(test_a_delay_is_told_to_those_who_want_it),
		T(test_what_is_sent_later_is_late_from_then_on),
		T(test_the_time_of_the_warning_is_a_parameter),
		T(test_a_failure_is_told_while_the_warning_is_under_way),
		T(test_a_suppressed_recipient_is_told_as_a_failure),
		T(test_a_test_message_sends_nothing_to_its_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
