#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>

#include "fake_loop.h"
#include "qmgr_world.h"
#include "resolve.h"
#include "return_path.h"
#include "routes.h"

static void
test_a_message_is_given_out_when_the_journal_has_it(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	assert_int_equal(world_events(EVENT_accepted), 1);
	assert_int_equal(world_events(EVENT_stored), 1);
	assert_int_equal(world_events(EVENT_intake), 1);
	assert_int_equal(w.n_jobs, 1);
	assert_string_equal(w.jobs[0].next_hop, "example.net");
	assert_int_equal(w.files, 1);
}

/* A queue manager that knows these routes. */
static struct routes *
start_with_routes(const char *text, const char *relayhost, const char *secrets)
{
	struct routes *r = routes_new();
	struct buf error = { 0 };

	world_kill();
	assert_int_equal(routes_parse(r, str_of(text), "routes.cf", &error), 0);
	if (relayhost != NULL) {
		assert_int_equal(routes_set_relayhost(r, str_of(relayhost)), 0);
	}
	assert_int_equal(
	    routes_parse_passwords(r, str_of(secrets), "sasl", &error), 0);
	w.routes = r;
	world_start();
	return r;
}

static void
end_routes(struct routes **r)
{
	world_kill();
	w.routes = NULL;
	routes_free(r);
}

static void
test_a_route_names_the_next_hop_its_tls_and_its_password(void **state)
{
	struct routes *r =
	    start_with_routes("example.net [mx.relay.test]:587\n", NULL,
		"mx.relay.test shop:secret\n");

	(void)state;
	world_send(&(struct world_mail){ 0 });
	assert_int_equal(w.n_jobs, 1);
	assert_string_equal(w.jobs[0].next_hop, "[mx.relay.test]:587");
	assert_int_equal(w.jobs[0].is_fixed, 1);
	assert_string_equal(w.jobs[0].user, "shop");
	assert_string_equal(w.jobs[0].password, "secret");
	assert_string_equal(w.jobs[0].tls, "verify");
	end_routes(&r);
}

static void
test_a_domain_without_route_gets_no_password(void **state)
{
	struct routes *r = start_with_routes("example.net smtp:\n",
	    "[mx.relay.test]:587", "mx.relay.test shop:secret\n");

	(void)state;
	world_send(&(struct world_mail){ 0 });
	assert_int_equal(w.n_jobs, 1);
	assert_string_equal(w.jobs[0].next_hop, "example.net");
	assert_int_equal(w.jobs[0].is_fixed, 0);
	assert_string_equal(w.jobs[0].password, "");
	end_routes(&r);
}

static void
test_relayhost_has_its_password(void **state)
{
	struct routes *r = start_with_routes(
	    "", "[mx.relay.test]:587", "mx.relay.test shop:secret\n");

	(void)state;
	world_send(&(struct world_mail){ 0 });
	assert_int_equal(w.n_jobs, 1);
	assert_string_equal(w.jobs[0].next_hop, "[mx.relay.test]:587");
	assert_string_equal(w.jobs[0].password, "secret");
	end_routes(&r);
}

static void
test_a_plan_says_what_decides_about_a_domain(void **state)
{
	struct routes *r = start_with_routes(
	    "no.net error:5.1.2 closed\nvia.net relay.test\n", NULL, "");
	struct resolve_plan p;

	(void)state;
	p = resolve_plan(w.q, STR("no.net"));
	assert_true(p.how == RESOLVE_NEVER && p.entry->line == 1);
	p = resolve_plan(w.q, STR("via.net"));
	assert_true(p.how == RESOLVE_ASK && str_is(p.name, "relay.test"));
	p = resolve_plan(w.q, STR("example.net"));
	assert_true(p.how == RESOLVE_ASK && p.entry == NULL);
	assert_true(str_is(p.name, "example.net"));
	p = resolve_plan(w.q, STR("[192.0.2.1]"));
	assert_true(p.how == RESOLVE_FIXED && str_is(p.name, "[192.0.2.1]"));
	end_routes(&r);
}

static void
test_an_error_route_fails_the_recipient_with_its_text(void **state)
{
	struct routes *r = start_with_routes(
	    "example.net error:5.1.2 This domain is closed\n", NULL, "");
	struct event_soft_bounce e;

	(void)state;
	world_send(&(struct world_mail){ 0 });
	assert_int_equal(w.n_jobs, 0);
	assert_true(world_last_event(EVENT_soft_bounce, &e));
	assert_true(str_is(e.smtp_enh, "5.1.2"));
	assert_true(str_is(e.smtp_text, "This domain is closed"));
	end_routes(&r);
}

static void
test_a_delivery_is_written_and_then_acknowledged(void **state)
{
	struct event_delivery e;

	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(w.acked, 1);
	assert_true(world_last_event(EVENT_delivery, &e));
	assert_true(uuid_eq(&e.msgid, &w.jobs[0].msgid));
	assert_int_equal(e.attempt, 1);
	assert_int_equal(e.account, 7);
	assert_int_not_equal(e.accept_lsn, 0);
	assert_int_equal(world_queued(), 0);
}

static void
test_the_return_path_names_message_and_recipient(void **state)
{
	static const uint8_t key[] = "0123456789abcdef0123456789abcdef";
	struct return_path_token t;
	struct event_deferral e;
	const char *at;

	(void)state;
	world_send(&(struct world_mail){
	    .rcpts = { "a@example.net", "b@example.net" } });
	assert_int_equal(w.n_jobs, 2); /* one recipient each */
	at = strchr(w.jobs[1].mail_from, '@');
	assert_non_null(at);
	assert_string_equal(at, "@mail.test");
	assert_int_equal(return_path_parse(key, w.jobs[1].mail_from,
			     (size_t)(at - w.jobs[1].mail_from), &t),
	    0);
	assert_int_equal(t.recipient, w.jobs[1].ordinals[0]);
	assert_memory_equal(t.message_id, w.jobs[1].msgid.b, 16);
	world_finish(OUTCOME_DEFERRED);
	assert_true(world_last_event(EVENT_deferral, &e));
	assert_int_equal(t.accept_lsn, e.accept_lsn);
}

static void
test_a_plain_sender_stays_and_its_recipients_share_a_job(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ .sender = "me@acme.test",
	    .rcpts = { "a@example.net", "b@example.net" },
	    .flags = MESSAGE_PLAIN_SENDER });
	assert_int_equal(w.n_jobs, 1);
	assert_int_equal(w.jobs[0].n, 2);
	assert_string_equal(w.jobs[0].mail_from, "me@acme.test");
}

static void
test_the_null_sender_stays_null(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ .sender = "" });
	assert_string_equal(w.jobs[0].mail_from, "");
}

static void
test_a_deferred_recipient_is_tried_again(void **state)
{
	struct event_deferral e;

	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_DEFERRED);
	assert_true(world_last_event(EVENT_deferral, &e));
	assert_true(e.next_try_us > clock_wall_us() + 90 * US_PER_S);
	assert_int_equal(w.n_jobs, 1);
	fake_loop_pass(200 * US_PER_S);
	assert_int_equal(w.n_jobs, 2);
	assert_int_equal(w.jobs[1].attempts[0], 2);
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_hard_failure_is_a_bounce(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_FAILED);
	assert_int_equal(world_events(EVENT_bounce), 1);
	assert_int_equal(world_events(EVENT_soft_bounce), 0);
	assert_int_equal(w.dsns, 0); /* the account has events */
}

static void
test_an_expired_message_is_a_soft_bounce(void **state)
{
	struct event_soft_bounce e;

	(void)state;
	world_send(&(struct world_mail){
	    .expires_us = clock_wall_us() + 300 * US_PER_S });
	world_finish(OUTCOME_DEFERRED);
	fake_loop_pass(600 * US_PER_S);
	world_finish(OUTCOME_DEFERRED);
	fake_loop_pass(600 * US_PER_S);
	assert_true(world_last_event(EVENT_soft_bounce, &e));
	assert_memory_equal(e.class.p, "expired", 7);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_domain_without_service_is_a_bounce(void **state)
{
	struct event_bounce e;

	(void)state;
	world_send(&(struct world_mail){ .rcpts = { "x@nx.test" } });
	assert_int_equal(w.n_jobs, 0);
	assert_true(world_last_event(EVENT_bounce, &e));
	assert_memory_equal(e.smtp_text.p, "no such domain", 14);
	assert_memory_equal(e.rcpt_to.p, "x@nx.test", 9);
}

static void
test_a_domain_without_an_answer_is_a_deferral_told_once(void **state)
{
	struct event_deferral e;

	(void)state;
	world_send(&(struct world_mail){
	    .rcpts = { "a@later.test", "b@later.test" } });
	assert_int_equal(w.n_jobs, 0);
	assert_int_equal(world_events(EVENT_deferral), 2);
	assert_true(world_last_event(EVENT_deferral, &e));
	assert_memory_equal(e.smtp_text.p, "no answer", 9);
	assert_int_equal(e.attempt, 0);
	assert_true(e.next_try_us > clock_wall_us());
	fake_loop_pass(300 * US_PER_S);
	assert_int_equal(world_events(EVENT_deferral), 2);
	w.is_dns_back = true;
	fake_loop_pass(600 * US_PER_S);
	assert_int_equal(w.n_jobs, 2);
	assert_int_equal(w.jobs[0].attempts[0], 1);
}

static void
test_suppressed_recipients_are_told_and_never_tried(void **state)
{
	struct event_blocked e;

	(void)state;
	world_send(
	    &(struct world_mail){ .rcpts = { "a@example.net", "b@example.net" },
		.notify = { RCPT_BLOCKED, 0 } });
	assert_int_equal(w.n_jobs, 1);
	assert_int_equal(w.jobs[0].ordinals[0], 1);
	assert_true(world_last_event(EVENT_blocked, &e));
	assert_int_equal(e.rcpt, 0);
	assert_int_not_equal(e.accept_lsn, 0);
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_test_message_is_never_sent(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ .flags = MESSAGE_TEST,
	    .rcpts = { "a@example.net", "b@example.net" } });
	assert_int_equal(w.n_jobs, 0);
	assert_int_equal(world_events(EVENT_delivery), 2);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_message_for_later_waits(void **state)
{
	(void)state;
	world_send(&(struct world_mail){
	    .not_before_us = clock_wall_us() + 3600 * US_PER_S });
	fake_loop_pass(3500 * US_PER_S);
	assert_int_equal(w.n_jobs, 0);
	fake_loop_pass(200 * US_PER_S);
	assert_int_equal(w.n_jobs, 1);
}

static void
test_a_segment_goes_when_nothing_in_it_is_alive(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_sync(w.seg, true);
	assert_true(world_seg_exists(world_segid(w.seg)));
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_events(EVENT_segment_removed), 1);
	assert_false(world_seg_exists(world_segid(w.seg)));
	assert_int_equal(w.drops, 1);
}

static void
test_an_open_segment_stays(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_DELIVERED);
	fake_loop_pass(3600 * US_PER_S);
	assert_true(world_seg_exists(world_segid(w.seg)));
}

static void
test_a_damaged_message_alarms_and_is_given_up(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_DAMAGED);
	assert_int_equal(world_events(EVENT_spool_damaged), 1);
	assert_int_equal(world_events(EVENT_soft_bounce), 1);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_deliver_that_dies_has_its_jobs_given_out_again(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_deliver_breaks();
	assert_int_equal(w.n_jobs, 1);
	world_deliver_returns(false);
	assert_int_equal(w.n_jobs, 2);
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_events(EVENT_delivery), 1);
}

static void
test_a_broken_channel_repeats_nothing(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_deliver_breaks();
	world_deliver_returns(true);
	assert_int_equal(w.n_jobs, 1);
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_events(EVENT_delivery), 1);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_result_that_comes_twice_is_written_once(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_DELIVERED);
	w.jobs[0].is_open = true;
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_events(EVENT_delivery), 1);
	assert_int_equal(w.acked, 2);
}

static void
test_results_returned_are_given_out_again(void **state)
{
	(void)state;
	world_send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_RETURNED);
	assert_int_equal(w.n_jobs, 2);
	assert_int_equal(w.jobs[1].attempts[0], 1);
	assert_int_equal(w.acked, 1);
	assert_int_equal(world_events(EVENT_deferral), 0);
}

/* Twenty messages, of which one is deferred; then their segment is sealed. */
static void
send_and_leave_one(void)
{
	for (int i = 0; i < 20; i++) {
		(void)world_mail(w.seg,
		    &(struct world_mail){ .content = i == 7
			    ? "Subject: seven\r\n\r\n..\r\n"
			    : NULL });
	}
	world_sync(w.seg, true);
	world_result(&w.jobs[7], 0, OUTCOME_DEFERRED, "later");
	while (world_open_jobs() != 0) {
		world_finish(OUTCOME_DELIVERED);
	}
	assert_int_equal(world_queued(), 1);
	assert_true(world_seg_exists(world_segid(w.seg)));
}

static void
let_it_copy(void)
{
	for (int i = 0; i < 20; i++) {
		fake_loop_pass(US_PER_S);
		fake_loop_settle();
	}
}

static void
assert_is_copied(void)
{
	struct world_job *j;
	char path[SEG_PATH_SIZE];
	char content[64];
	int fd;

	fake_loop_pass(200 * US_PER_S);
	assert_int_equal(w.n_jobs, 21);
	j = &w.jobs[20];
	assert_true(uuid_eq(&j->msgid, &w.jobs[7].msgid));
	assert_true(j->segid >> 56 == SPOOL_WRITER_QMGR);
	seg_path(j->segid, path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(plog_read_content(fd, j->segid, j->content_off,
			     content, j->content_len, j->content_crc),
	    0);
	assert_memory_equal(content, "Subject: seven", 14);
	(void)close(fd);
}

static void
test_survivors_are_copied_out_of_old_segments(void **state)
{
	(void)state;
	world_kill();
	world_conf("segment_copy_age = 1s\n");
	world_start();
	send_and_leave_one();
	let_it_copy();
	assert_false(world_seg_exists(world_segid(w.seg)));
	assert_is_copied();
}

static void
test_copied_survivors_outlive_a_restart(void **state)
{
	(void)state;
	world_kill();
	world_conf("segment_copy_age = 1s\n");
	world_start();
	send_and_leave_one();
	let_it_copy();
	world_kill();
	world_start();
	assert_int_equal(world_queued(), 1);
	assert_is_copied();
	world_finish(OUTCOME_DELIVERED);
	fake_loop_settle();
	assert_false(world_seg_exists(w.jobs[20].segid));
	assert_int_equal(world_events(EVENT_accepted), 20);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)
	const struct CMUnitTest tests[] = {
		T(test_a_message_is_given_out_when_the_journal_has_it),
		T(test_a_route_names_the_next_hop_its_tls_and_its_password),
		T(test_a_domain_without_route_gets_no_password),
		T(test_relayhost_has_its_password),
		T(test_a_plan_says_what_decides_about_a_domain),
		T(test_an_error_route_fails_the_recipient_with_its_text),
		T(test_a_delivery_is_written_and_then_acknowledged),
		T(test_the_return_path_names_message_and_recipient),
		T(test_a_plain_sender_stays_and_its_recipients_share_a_job),
		T(test_the_null_sender_stays_null),
		T(test_a_deferred_recipient_is_tried_again),
		T(test_a_hard_failure_is_a_bounce),
		T(test_an_expired_message_is_a_soft_bounce),
		T(test_a_domain_without_service_is_a_bounce),
		T(test_a_domain_without_an_answer_is_a_deferral_told_once),
		T(test_suppressed_recipients_are_told_and_never_tried),
		T(test_a_test_message_is_never_sent),
		T(test_a_message_for_later_waits),
		T(test_a_segment_goes_when_nothing_in_it_is_alive),
		T(test_an_open_segment_stays),
		T(test_a_damaged_message_alarms_and_is_given_up),
		T(test_a_deliver_that_dies_has_its_jobs_given_out_again),
		T(test_a_broken_channel_repeats_nothing),
		T(test_a_result_that_comes_twice_is_written_once),
		T(test_results_returned_are_given_out_again),
		T(test_survivors_are_copied_out_of_old_segments),
		T(test_copied_survivors_outlive_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
