/*
 * What qmgr and deliver say to each other: jobs, results, restarts.
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
#include "passed_files.h"
#include "route.h"

static void
ack(uint64_t seq)
{
	world_tell(IPC_result_ack, &(struct ipc_result_ack){ .seq = seq });
}

static void
cancel(uint32_t path)
{
	world_tell(IPC_job_cancel, &(struct ipc_job_cancel){ .path = path });
	world_settle();
}

static void
test_deliver_results_are_kept_until_acknowledged(void **state)
{
	(void)state;
	mx_give_job(1, 1);
	mx_give_job(2, 1);
	mx_hello(0);
	mx_take(0);
	mx_take(0);
	assert_int_equal(world.n_results, 2);
	assert_int_equal(world.results[0].m.seq, 1);
	ack(1);
	world_new_qmgr();
	assert_true(world.is_reconciled);
	assert_int_equal(world.reconciled_seq, 2);
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.results[0].m.job, 2);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_DELIVERED);
	assert_true(str_is(world.results[0].m.smtp_text, "250 2.0.0 taken"));
}

static void
test_deliver_goes_on_without_qmgr_and_tells_the_next(void **state)
{
	(void)state;
	mx_give_job(1, 1);
	mx_give_job(2, 1);
	mx_hello(0);
	world.is_qmgr_down = true;
	mx_take(0);
	assert_int_equal(world.n_results, 0);
	world_new_qmgr();
	assert_int_equal(world.n_running, 1);
	assert_int_equal(world.running[0], 2);
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.results[0].m.job, 1);
	mx_take(0);
	assert_int_equal(world.n_results, 2);
	assert_int_equal(world.results[1].m.job, 2);
}

/* Of the segment of job n, as world_job numbers them. */
static bool
has_segment(uint64_t job)
{
	return passed_files_get(world_segid(job), false) >= 0;
}

static void
test_deliver_keeps_no_files_of_an_old_qmgr_but_those_it_reads(void **state)
{
	(void)state;
	mx_give_job(1, 1);
	mx_give_job(2, 1);
	mx_hello(0);
	mx_take(0);
	assert_true(has_segment(1));
	assert_true(has_segment(2));
	world_new_qmgr();
	assert_false(has_segment(1));
	assert_true(has_segment(2));
	mx_take(0);
	assert_int_equal(
	    world.results[world.n_results - 1].m.outcome, OUTCOME_DELIVERED);
}

static void
test_deliver_cancel_returns_what_is_not_begun(void **state)
{
	(void)state;
	mx_give_job(1, 1);
	mx_give_job(2, 1);
	mx_hello(0);
	cancel(9);
	assert_int_equal(world.n_results, 0);
	cancel(0);
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.results[0].m.job, 2);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_RETURNED);
	mx_take(0);
	assert_int_equal(world.n_results, 2);
	assert_int_equal(world.results[1].m.outcome, OUTCOME_DELIVERED);
}

static void
test_deliver_cancel_reaches_jobs_that_wait_for_names_and_hosts(void **state)
{
	(void)state;
	world.is_resolvd_silent = true;
	mx_give_job(1, 1);
	cancel(0);
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_RETURNED);
	world_answer();
	mx_give_job(2, 1);
	assert_int_equal(world.n_conns, 1);
	cancel(1);
	assert_int_equal(world.n_results, 2);
	assert_int_equal(world.results[1].m.outcome, OUTCOME_RETURNED);
	/* The connection is made all the same, and serves the next job. */
	mx_give_job(3, 1);
	mx_hello(0);
	mx_take(0);
	assert_int_equal(world.n_results, 3);
	assert_int_equal(world.n_conns, 1);
}

static void
test_deliver_damaged_record_and_content_are_never_sent(void **state)
{
	(void)state;
	world_job(&(struct world_mail){
	    .job = 1, .content = MX_CONTENT, .is_record_damaged = true });
	world_settle();
	assert_int_equal(world.n_conns, 0);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_DAMAGED);
	world_job(&(struct world_mail){
	    .job = 2, .content = MX_CONTENT, .is_content_damaged = true });
	world_settle();
	mx_hello(0);
	assert_int_equal(world.results[1].m.outcome, OUTCOME_DAMAGED);
	assert_null(memmem(world_input(0).p, world_input(0).len, "MAIL", 4));
	/* The connection is as good as before. */
	mx_give_job(3, 1);
	mx_take(0);
	assert_int_equal(world.results[2].m.outcome, OUTCOME_DELIVERED);
}

static void
test_deliver_missing_segment_defers(void **state)
{
	(void)state;
	world_job(&(struct world_mail){
	    .job = 5, .content = MX_CONTENT, .is_missing = true });
	assert_int_equal(world.results[0].m.outcome, OUTCOME_DEFERRED);
	assert_true(str_is(world.results[0].m.smtp_enh, "4.3.0"));
}

/* Header in the segment, the rest in a file of its own. */
static void
send_big(char *big, size_t size, bool is_damaged)
{
	memset(big, 'x', size);
	for (size_t i = 78; i + 1 < size; i += 80) {
		memcpy(big + i, "\r\n", 2);
	}
	memcpy(big + size - 2, "\r\n", 2);
	world_job(&(struct world_mail){ .job = 1,
	    .content = MX_CONTENT,
	    .big = { big, size },
	    .is_content_damaged = is_damaged });
	world_settle();
	mx_hello(0);
}

static void
test_deliver_big_files_follow_the_segments_part(void **state)
{
	enum { SIZE = 3 * 1024 * 1024 + 17 };
	char *big = malloc(SIZE);
	struct str in;

	(void)state;
	assert_non_null(big);
	send_big(big, SIZE, false);
	world_take(0, world_input(0).len);
	mx_take(0);
	in = world_input(0);
	assert_int_equal(in.len, MX_CONTENT.len + SIZE + 3);
	assert_memory_equal(in.p, MX_CONTENT.p, MX_CONTENT.len);
	assert_memory_equal(in.p + MX_CONTENT.len, big, SIZE);
	assert_memory_equal(in.p + MX_CONTENT.len + SIZE, ".\r\n", 3);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_DELIVERED);
	assert_int_equal(world.results[0].m.size, MX_CONTENT.len + SIZE);
	free(big);
}

static void
test_deliver_damaged_big_content_is_never_begun(void **state)
{
	enum { SIZE = 2 * 1024 * 1024 };
	char *big = malloc(SIZE);

	(void)state;
	assert_non_null(big);
	send_big(big, SIZE, true);
	assert_null(memmem(world_input(0).p, world_input(0).len, "MAIL", 4));
	assert_int_equal(world.results[0].m.outcome, OUTCOME_DAMAGED);
	free(big);
}

static void
test_deliver_many_jobs_share_one_question(void **state)
{
	(void)state;
	world.is_resolvd_silent = true;
	for (uint64_t job = 1; job <= 5; job++) {
		mx_give_job(job, 2);
	}
	assert_int_equal(world.plan_requests, 1);
	assert_int_equal(world.n_conns, 0);
	world_answer();
	world_settle();
	assert_int_equal(world.n_conns, 2);
	assert_int_equal(world.plan_requests, 1);
}

static void
test_deliver_answers_are_cached_for_their_time(void **state)
{
	(void)state;
	world.ttl_s = 100;
	mx_give_job(1, 1);
	mx_hello(0);
	mx_take(0);
	fake_loop_pass(99 * US_PER_S);
	mx_give_job(2, 1);
	assert_int_equal(world.plan_requests, 1);
	fake_loop_pass(2 * US_PER_S);
	mx_give_job(3, 1);
	assert_int_equal(world.plan_requests, 2);
}

static void
test_deliver_without_a_resolver_defers(void **state)
{
	(void)state;
	world.is_resolvd_down = true;
	mx_give_job(1, 1);
	/* The next resolvd may be there soon. */
	assert_int_equal(world.n_results, 0);
	fake_loop_pass(61 * US_PER_S);
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_DEFERRED);
	assert_true(str_is(world.results[0].m.smtp_enh, "4.4.3"));
	world.is_resolvd_down = false;
	world.is_resolvd_silent = true;
	fake_loop_pass(2 * US_PER_S);
	mx_give_job(2, 1);
	fake_loop_pass(61 * US_PER_S);
	assert_int_equal(world.n_results, 2);
	assert_int_equal(world.results[1].m.outcome, OUTCOME_DEFERRED);
}

static void
test_deliver_other_domain_of_the_path_needs_the_same_host(void **state)
{
	struct world_mail other = { .job = 2,
		.conn_limit = 1,
		.next_hop = "other.example",
		.content = MX_CONTENT };

	(void)state;
	mx_give_job(1, 1);
	mx_hello(0);
	mx_take(0);
	world_job(&other);
	world_settle();
	assert_int_equal(world.n_conns, 1);
	mx_take(0);
	assert_int_equal(world.n_results, 2);
	/* A third domain with other hosts gets a connection of its own. */
	buf_clear(&world.plan, 0);
	world_host("elsewhere.example", 10, "192.0.2.7");
	other.job = 3;
	other.next_hop = "third.example";
	world_job(&other);
	world_settle();
	assert_int_equal(world.n_conns, 2);
	assert_string_equal(world.conns[1].ip, "192.0.2.7");
	assert_true(world.conns[0].is_closed);
}

static void
test_deliver_secure_job_does_not_ride_in_clear(void **state)
{
	(void)state;
	mx_give_job(1, 2);
	mx_hello(0);
	mx_take(0);
	world_job(&(struct world_mail){ .job = 2,
	    .conn_limit = 2,
	    .tls = "encrypt",
	    .content = MX_CONTENT });
	world_settle();
	assert_int_equal(world.n_conns, 2);
	assert_int_equal(world.n_results, 1);
}

static void
test_deliver_secure_job_gets_the_place_of_a_clear_connection(void **state)
{
	(void)state;
	mx_give_job(1, 1);
	mx_hello(0);
	world_job(&(struct world_mail){ .job = 2,
	    .conn_limit = 1,
	    .tls = "encrypt",
	    .content = MX_CONTENT });
	world_settle();
	assert_int_equal(world.n_conns, 1);
	mx_take(0);
	assert_true(world.conns[0].is_closed);
	assert_int_equal(world.n_conns, 2);
}

static void
test_deliver_drain_gives_back_and_ends(void **state)
{
	(void)state;
	mx_give_job(1, 1);
	mx_give_job(2, 1);
	mx_hello(0);
	deliver_drain();
	assert_int_equal(world.n_results, 1);
	assert_int_equal(world.results[0].m.outcome, OUTCOME_RETURNED);
	assert_false(world.is_over);
	mx_take(0);
	assert_int_equal(world.results[1].m.outcome, OUTCOME_DELIVERED);
	assert_false(world.is_over);
	mx_give_job(3, 1);
	assert_int_equal(world.results[2].m.outcome, OUTCOME_RETURNED);
	ack(3);
	assert_true(world.is_over);
}

static void
test_deliver_process_limit_feeds_paths_in_turn(void **state)
{
	(void)state;
	world_stop();
	world_start("deliver_connection_limit = 2\n");
	world_host("mx.example", 10, "192.0.2.1");
	for (uint32_t path = 1; path <= 3; path++) {
		world_job(&(struct world_mail){
		    .job = path, .path = path, .content = MX_CONTENT });
	}
	world_settle();
	assert_int_equal(world.n_conns, 2);
	mx_hello(0);
	mx_take(0);
	/* The idle connection makes room for the path that waits. */
	assert_true(world.conns[0].is_closed);
	assert_int_equal(world.n_conns, 3);
	mx_hello(2);
	mx_take(2);
	assert_int_equal(world.n_results, 2);
	assert_int_equal(world.results[1].m.job, 3);
}

static void
count_ready(struct route_watch *w)
{
	assert_true(w->route->is_ready);
	w->is_waiting = true; /* so that a second call would be seen */
}

static void
test_route_watchers_hear_of_the_answer_that_jobs_get(void **state)
{
	struct route_watch stays = { .ready = count_ready };
	struct route_watch leaves = { .ready = count_ready };
	struct route_watch late = { .ready = count_ready };

	(void)state;
	world.is_resolvd_silent = true;
	assert_false(route_watch(&stays, STR("example"), false));
	assert_false(route_watch(&leaves, STR("example"), false));
	route_unwatch(&leaves);
	assert_false(leaves.is_waiting);
	world_answer();
	world_settle();
	assert_true(stays.is_waiting);
	assert_false(leaves.is_waiting);
	assert_int_equal(world.plan_requests, 1);
	assert_int_equal(stays.route->n_hosts, 1);
	assert_true(route_watch(&late, STR("example"), false));
	assert_ptr_equal(late.route, stays.route);
	assert_int_equal(world.plan_requests, 1);
	stays.is_waiting = false;
	route_unwatch(&stays);
	route_unwatch(&late);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, mx_setup, mx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_deliver_results_are_kept_until_acknowledged),
		TEST(test_deliver_goes_on_without_qmgr_and_tells_the_next),
		TEST(
		    test_deliver_keeps_no_files_of_an_old_qmgr_but_those_it_reads),
		TEST(test_deliver_cancel_returns_what_is_not_begun),
		TEST(
		    test_deliver_cancel_reaches_jobs_that_wait_for_names_and_hosts),
		TEST(test_deliver_damaged_record_and_content_are_never_sent),
		TEST(test_deliver_missing_segment_defers),
		TEST(test_deliver_big_files_follow_the_segments_part),
		TEST(test_deliver_damaged_big_content_is_never_begun),
		TEST(test_deliver_many_jobs_share_one_question),
		TEST(test_deliver_answers_are_cached_for_their_time),
		TEST(test_deliver_without_a_resolver_defers),
		TEST(test_deliver_other_domain_of_the_path_needs_the_same_host),
		TEST(test_deliver_secure_job_does_not_ride_in_clear),
		TEST(
		    test_deliver_secure_job_gets_the_place_of_a_clear_connection),
		TEST(test_route_watchers_hear_of_the_answer_that_jobs_get),
		TEST(test_deliver_drain_gives_back_and_ends),
		TEST(test_deliver_process_limit_feeds_paths_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
