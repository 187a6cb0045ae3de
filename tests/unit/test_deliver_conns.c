/*
 * Connections that qmgr counts, as deliver opens, tells of and closes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "deliver.h"
#include "deliver_mx.h"
#include "deliver_world.h"
#include "fake_loop.h"
#include "outcome.h"

/* A job over the connections that there are. */
static void
give_over_open(uint64_t job, uint32_t path)
{
	world_job(&(struct world_mail){ .job = job,
	    .path = path,
	    .may_not_open = true,
	    .is_counted = true,
	    .content = MX_CONTENT });
	world_settle();
}

static void
open_counted(uint64_t job)
{
	world_job(&(struct world_mail){
	    .job = job, .is_counted = true, .content = MX_CONTENT });
	world_settle();
	mx_hello(0);
}

static void
test_deliver_tells_when_connections_change_and_not_when_they_are_reused(
    void **state)
{
	unsigned n;

	(void)state;
	mx_give_job(1, 1);
	assert_int_equal(world.open, 1);
	assert_int_equal(world.ready, 0);
	mx_hello(0);
	assert_int_equal(world.ready, 1);
	mx_take(0);
	n = world.n_told;
	give_over_open(2, 1);
	mx_take(0);
	assert_int_equal(world.n_results, 2);
	assert_int_equal(world.n_told, n);
}

static void
test_deliver_job_that_may_not_open_and_finds_nothing_open_goes_back(
    void **state)
{
	(void)state;
	give_over_open(1, 1);
	assert_int_equal(world.n_conns, 0);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_RETURNED);
}

static void
test_deliver_job_that_needs_no_new_connection_gives_its_permission_up(
    void **state)
{
	(void)state;
	open_counted(1);
	world_job(&(struct world_mail){ .job = 2,
	    .conn_limit = 1,
	    .is_counted = true,
	    .content = MX_CONTENT });
	world_settle();
	assert_int_equal(world.open, 2);
	mx_take(0);
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.open, 1);
}

static void
test_deliver_counted_connection_counts_until_the_server_has_closed(void **state)
{
	const struct ipc_conn_close m = { .path = 1, .count = 1 };

	(void)state;
	open_counted(1);
	mx_take(0);
	world_tell(IPC_conn_close, &m);
	world_settle();
	assert_int_equal(world.asked, 1);
	assert_int_equal(world.usable, 0);
	assert_int_equal(world.open, 1);
	assert_false(world.conns[0].is_closed);
	world_close(0);
	world_settle();
	assert_int_equal(world.open, 0);
}

static void
test_deliver_end_does_not_wait_for_servers_to_close(void **state)
{
	const struct ipc_conn_close m = { .path = 1, .count = 1 };

	(void)state;
	open_counted(1);
	mx_take(0);
	world_tell(IPC_result_ack, &(struct ipc_result_ack){ .seq = 1 });
	world_tell(IPC_conn_close, &m);
	world_settle();
	assert_int_equal(world.open, 1);
	deliver_drain();
	assert_true(world.is_over);
}

static void
test_deliver_asked_to_close_what_is_in_use_answers_and_goes_on(void **state)
{
	const struct ipc_conn_close m = { .path = 1, .count = 1 };

	(void)state;
	open_counted(1);
	world_tell(IPC_conn_close, &m);
	world_settle();
	assert_int_equal(world.asked, 1);
	assert_int_equal(world.open, 1);
	mx_take(0);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_DELIVERED);
}

static void
test_deliver_job_comes_back_from_behind_a_connection_that_hangs(void **state)
{
	(void)state;
	open_counted(1);
	give_over_open(2, 1);
	assert_int_equal(world.n_results, 0);
	fake_loop_pass(3 * US_PER_S);
	world_settle();
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.results[0].m.job, 2);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_RETURNED);
}

static void
test_deliver_begins_nothing_later_than_its_rate_allowed(void **state)
{
	(void)state;
	world_job(&(struct world_mail){
	    .job = 1, .start_ms = 100, .content = MX_CONTENT });
	world_settle();
	fake_loop_pass(200 * US_PER_MS);
	mx_hello(0);
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_RETURNED);
	/* What was opened for it serves the next one. */
	assert_int_equal(world.ready, 1);
	give_over_open(2, 1);
	mx_take(0);
	assert_int_equal(world.results[1].m.outcome, OUTCOME_DELIVERED);
}

static void
test_deliver_permission_to_open_ends_with_its_time(void **state)
{
	(void)state;
	world.is_resolvd_silent = true;
	world_job(&(struct world_mail){
	    .job = 1, .open_ms = 100, .content = MX_CONTENT });
	world_settle();
	fake_loop_pass(200 * US_PER_MS);
	world.is_resolvd_silent = false;
	world_answer();
	world_settle();
	assert_int_equal(world.n_conns, 0);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_RETURNED);
	assert_int_equal(world.open, 0);
}

static void
test_deliver_new_qmgr_hears_of_connections_and_goes_on_with_them(void **state)
{
	(void)state;
	open_counted(1);
	mx_take(0);
	world_new_qmgr();
	world_settle();
	assert_true(world.conns_path > UINT32_MAX);
	assert_int_equal(world.open, 1);
	assert_int_equal(world.ready, 1);
	give_over_open(2, 7);
	assert_int_equal(world.conns_path, 7);
	mx_take(0);
	assert_int_equal(world.n_conns, 1);
	assert_int_equal(
	    world.results[world.n_results - 1].m.outcome, OUTCOME_DELIVERED);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, mx_setup, mx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(
		    test_deliver_tells_when_connections_change_and_not_when_they_are_reused),
		TEST(
		    test_deliver_job_that_may_not_open_and_finds_nothing_open_goes_back),
		TEST(
		    test_deliver_job_that_needs_no_new_connection_gives_its_permission_up),
		TEST(
		    test_deliver_counted_connection_counts_until_the_server_has_closed),
		TEST(test_deliver_end_does_not_wait_for_servers_to_close),
		TEST(
		    test_deliver_asked_to_close_what_is_in_use_answers_and_goes_on),
		TEST(
		    test_deliver_job_comes_back_from_behind_a_connection_that_hangs),
		TEST(test_deliver_begins_nothing_later_than_its_rate_allowed),
		TEST(test_deliver_permission_to_open_ends_with_its_time),
		TEST(
		    test_deliver_new_qmgr_hears_of_connections_and_goes_on_with_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
