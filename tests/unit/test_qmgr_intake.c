#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "fake_loop.h"
#include "log.h"
#include "qmgr_world.h"

static struct world_seg *seg;
static struct world_seg *next; /* of a newer incarnation */

static int
setup(void **state)
{
	(void)world_setup(state);
	seg = world_seg(0, 1, 1);
	return 0;
}

static int
teardown(void **state)
{
	world_seg_close(&seg);
	if (next != NULL) {
		world_seg_close(&next);
	}
	return world_teardown(state);
}

/* n messages, a batch each; nobody is told. Returns where the last began. */
static uint64_t
write_batches(int n)
{
	uint64_t at = 0;

	for (int i = 0; i < n; i++) {
		at = i != 0 ? world_seg_size(seg) : PLOG_FILE_HEADER;
		(void)world_mail(seg, &(struct world_mail){ 0 });
		world_sync_silently(seg);
	}
	return at;
}

static void
start_and_wait(void)
{
	world_start();
	fake_loop_pass(60 * US_PER_S);
	world_settle();
}

static void
test_segments_of_dead_writers_are_read(void **state)
{
	(void)state;
	(void)write_batches(3);
	start_and_wait();
	assert_int_equal(world_events(EVENT_accepted), 3);
	assert_int_equal(w.n_jobs, 3);
}

static void
test_a_torn_tail_ends_the_segment(void **state)
{
	uint64_t last = write_batches(3);

	(void)state;
	world_seg_cut(seg, last + 100);
	start_and_wait();
	assert_int_equal(world_events(EVENT_accepted), 2);
	assert_int_equal(world_events(EVENT_spool_damaged), 0);
}

static void
test_torn_content_of_the_last_batch_is_no_message(void **state)
{
	(void)state;
	(void)write_batches(3);
	/* the last bytes are padding, the content stands before it */
	world_seg_cut(seg, world_seg_size(seg) - 64);
	start_and_wait();
	assert_int_equal(world_events(EVENT_accepted), 2);
	assert_int_equal(world_events(EVENT_spool_damaged), 0);
}

static void
test_damage_before_acknowledged_bytes_is_an_alarm(void **state)
{
	struct event_spool_damaged e;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	(void)write_batches(3);
	world_seg_damage(seg, PLOG_FILE_HEADER + 8);
	start_and_wait();
	assert_int_equal(world_events(EVENT_accepted), 2);
	assert_true(world_last_event(EVENT_spool_damaged, &e));
	assert_int_equal(e.off, PLOG_FILE_HEADER);
	assert_true(e.segid == world_segid(seg));
	assert_true(e.len > 100);
}

static void
test_a_damaged_segment_is_kept(void **state)
{
	(void)state;
	(void)write_batches(3);
	world_seg_damage(seg, PLOG_FILE_HEADER + 8);
	next = world_seg(0, 2, 1);
	start_and_wait();
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_queued(), 0);
	assert_true(world_seg_exists(world_segid(seg)));
}

static void
test_damage_in_what_a_living_writer_vouched_for_is_an_alarm(void **state)
{
	uint64_t last = write_batches(3);

	(void)state;
	world_seg_damage(seg, last + 8);
	world_start();
	world_sync(seg, false);
	assert_int_equal(world_events(EVENT_accepted), 2);
	assert_int_equal(world_events(EVENT_spool_damaged), 1);
	/* and what comes behind is read */
	(void)world_mail(seg, &(struct world_mail){ 0 });
	world_sync(seg, false);
	assert_int_equal(world_events(EVENT_accepted), 3);
}

static void
test_a_damaged_file_header_is_an_alarm_and_costs_no_mail(void **state)
{
	struct event_spool_damaged e;

	(void)state;
	(void)write_batches(3);
	world_seg_damage(seg, 9);
	next = world_seg(0, 2, 1);
	start_and_wait();
	assert_int_equal(world_events(EVENT_accepted), 3);
	assert_int_equal(world_events(EVENT_spool_damaged), 1);
	assert_true(world_last_event(EVENT_spool_damaged, &e));
	assert_int_equal(e.off, 0);
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_queued(), 0);
	assert_true(world_seg_exists(world_segid(seg)));
}

static void
test_a_batch_that_a_living_writer_has_not_synced_is_not_believed(void **state)
{
	(void)state;
	world_start();
	world_tell(seg, 0, false);
	(void)write_batches(1); /* its sync has not returned */
	fake_loop_pass(60 * US_PER_S);
	assert_int_equal(world_events(EVENT_accepted), 0);
	/* and has failed then: the writer seals the segment before it */
	world_tell(seg, 0, true);
	assert_int_equal(world_events(EVENT_accepted), 0);
	assert_false(world_seg_exists(world_segid(seg)));
}

static void
test_a_segment_that_nobody_has_named_is_read_when_it_rests(void **state)
{
	(void)state;
	world_start();
	fake_loop_pass(5 * US_PER_S);
	(void)write_batches(1);
	fake_loop_pass(US_PER_S / 2);
	assert_int_equal(world_events(EVENT_accepted), 0);
	fake_loop_pass(5 * US_PER_S);
	world_settle();
	assert_int_equal(world_events(EVENT_accepted), 1);
}

static void
test_a_past_incarnation_is_read_and_removed(void **state)
{
	(void)state;
	(void)write_batches(2);
	next = world_seg(0, 2, 1);
	start_and_wait();
	assert_int_equal(w.n_jobs, 2);
	world_finish(OUTCOME_DELIVERED);
	assert_false(world_seg_exists(world_segid(seg)));
	/* an empty one of writers that may live stays */
	assert_true(world_seg_exists(world_segid(next)));
}

static void
test_a_writer_that_comes_back_is_believed(void **state)
{
	(void)state;
	(void)write_batches(1);
	start_and_wait();
	fake_loop_pass(600 * US_PER_S);
	(void)world_mail(seg, &(struct world_mail){ 0 });
	world_sync(seg, false);
	assert_int_equal(world_events(EVENT_accepted), 2);
}

static void
test_a_dead_writers_last_words_are_read(void **state)
{
	(void)state;
	world_start();
	(void)write_batches(1);
	world_sync(seg, false);
	(void)write_batches(1); /* synced, but it could not tell */
	peer_free(&w.smtpd);
	world_settle();
	fake_loop_pass(5 * US_PER_S);
	assert_int_equal(world_events(EVENT_accepted), 2);
	fake_loop_pass(60 * US_PER_S);
	world_finish(OUTCOME_DELIVERED);
	assert_false(world_seg_exists(world_segid(seg)));
}

static void
test_a_living_writers_unsynced_bytes_are_not_read(void **state)
{
	(void)state;
	world_start();
	(void)write_batches(1);
	world_sync(seg, false);
	(void)write_batches(1); /* not announced */
	fake_loop_pass(60 * US_PER_S);
	assert_int_equal(world_events(EVENT_accepted), 1);
}

static void
test_a_doorbell_rung_twice_changes_nothing(void **state)
{
	(void)state;
	world_start();
	(void)write_batches(2);
	world_sync(seg, false);
	world_sync(seg, false);
	assert_int_equal(world_events(EVENT_accepted), 2);
	assert_int_equal(w.n_jobs, 2);
}

/* ---- reports ------------------------------------------------------------ */

static void
tell_done(void)
{
	struct ipc_report_done m = { .job = w.last_report };

	(void)peer_send(w.bouncer, IPC_report_done, 0, &m);
	world_settle();
}

static void
test_reports_go_to_bouncer_and_are_consumed(void **state)
{
	(void)state;
	world_start();
	(void)world_mail(seg, &(struct world_mail){ .inbound = 1 });
	world_sync(seg, true);
	assert_int_equal(w.n_jobs, 0);
	assert_int_equal(w.reports, 1);
	assert_true(world_seg_exists(world_segid(seg)));
	tell_done();
	assert_int_equal(world_events(EVENT_consumed), 1);
	assert_false(world_seg_exists(world_segid(seg)));
}

static void
test_a_report_outlives_a_restart(void **state)
{
	(void)state;
	world_start();
	(void)world_mail(seg, &(struct world_mail){ .inbound = 1 });
	world_sync(seg, true);
	world_kill();
	world_start();
	assert_int_equal(w.reports, 2);
	tell_done();
	world_kill();
	world_start();
	assert_int_equal(w.reports, 2);
}

static void
fact(enum event_type kind, uint64_t accept_lsn)
{
	struct ipc_report_fact m = {
		.job = w.last_report,
		.kind = (uint16_t)kind,
		.orig_msgid = w.jobs[0].msgid,
		.orig_accept_lsn = accept_lsn,
		.rcpt_to = STR("rcpt@example.net"),
		.status = STR("5.1.1"),
		.text = STR("no such user"),
		.class = STR("bad-mailbox"),
		.is_hard = 1,
	};

	(void)peer_send(w.bouncer, IPC_report_fact, 0, &m);
}

static void
test_a_late_bounce_is_an_event_of_the_original(void **state)
{
	struct event_delivery d;
	struct event_bounce b;

	(void)state;
	world_start();
	(void)world_mail(seg, &(struct world_mail){ 0 });
	world_sync(seg, false);
	world_finish(OUTCOME_DELIVERED);
	assert_true(world_last_event(EVENT_delivery, &d));
	(void)world_mail(seg, &(struct world_mail){ .inbound = 1 });
	world_sync(seg, false);
	fact(EVENT_bounce, d.accept_lsn);
	world_settle();
	assert_int_equal(world_events(EVENT_bounce), 0); /* not all is said */
	tell_done();
	assert_true(world_last_event(EVENT_bounce, &b));
	assert_true(uuid_eq(&b.msgid, &w.jobs[0].msgid));
	assert_int_equal(b.is_late, 1);
	assert_int_equal(b.account, 7);
}

static void
test_a_hard_bounce_ends_a_recipient_that_is_queued(void **state)
{
	struct event_deferral d;
	struct event_bounce b;

	(void)state;
	world_start();
	(void)world_mail(seg, &(struct world_mail){ 0 });
	world_sync(seg, false);
	world_finish(OUTCOME_UNCERTAIN);
	assert_true(world_last_event(EVENT_deferral, &d));
	(void)world_mail(seg, &(struct world_mail){ .inbound = 1 });
	world_sync(seg, false);
	fact(EVENT_bounce, d.accept_lsn);
	tell_done();
	assert_true(world_last_event(EVENT_bounce, &b));
	assert_int_equal(b.is_late, 0);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_fact_about_an_unknown_message_is_dropped(void **state)
{
	(void)state;
	world_start();
	(void)world_mail(seg, &(struct world_mail){ 0 });
	(void)world_mail(seg, &(struct world_mail){ .inbound = 1 });
	world_sync(seg, false);
	fact(EVENT_bounce, 0x123456789);
	fact(EVENT_bounce, journal_lsn(1, 8)); /* no record begins there */
	tell_done();
	assert_int_equal(world_events(EVENT_bounce), 0);
	assert_int_equal(world_events(EVENT_consumed), 1);
}

static void
test_facts_of_a_bouncer_that_died_are_not_written_twice(void **state)
{
	struct event_delivery d;

	(void)state;
	world_start();
	(void)world_mail(seg, &(struct world_mail){ 0 });
	world_sync(seg, false);
	world_finish(OUTCOME_DELIVERED);
	assert_true(world_last_event(EVENT_delivery, &d));
	(void)world_mail(seg, &(struct world_mail){ .inbound = 1 });
	world_sync(seg, false);
	fact(EVENT_complaint, d.accept_lsn);
	world_bouncer_restarts();
	assert_int_equal(w.reports, 2);
	fact(EVENT_complaint, d.accept_lsn);
	tell_done();
	assert_int_equal(world_events(EVENT_complaint), 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_segments_of_dead_writers_are_read),
		T(test_a_torn_tail_ends_the_segment),
		T(test_torn_content_of_the_last_batch_is_no_message),
		T(test_damage_before_acknowledged_bytes_is_an_alarm),
		T(test_a_damaged_segment_is_kept),
		T(test_damage_in_what_a_living_writer_vouched_for_is_an_alarm),
		T(test_a_damaged_file_header_is_an_alarm_and_costs_no_mail),
		T(test_a_batch_that_a_living_writer_has_not_synced_is_not_believed),
		T(test_a_segment_that_nobody_has_named_is_read_when_it_rests),
		T(test_a_past_incarnation_is_read_and_removed),
		T(test_a_writer_that_comes_back_is_believed),
		T(test_a_dead_writers_last_words_are_read),
		T(test_a_living_writers_unsynced_bytes_are_not_read),
		T(test_a_doorbell_rung_twice_changes_nothing),
		T(test_reports_go_to_bouncer_and_are_consumed),
		T(test_a_report_outlives_a_restart),
		T(test_a_late_bounce_is_an_event_of_the_original),
		T(test_a_hard_bounce_ends_a_recipient_that_is_queued),
		T(test_a_fact_about_an_unknown_message_is_dropped),
		T(test_facts_of_a_bouncer_that_died_are_not_written_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
