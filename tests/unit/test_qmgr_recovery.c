#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "fake_loop.h"
#include "indexer.h"
#include "journal_files.h"
#include "qmgr_world.h"

static struct world_seg *seg;

static int
setup(void **state)
{
	(void)world_setup(state);
	world_start();
	seg = world_seg(0, 1, 1);
	return 0;
}

static int
teardown(void **state)
{
	if (seg != NULL) {
		world_seg_close(&seg);
	}
	return world_teardown(state);
}

static struct uuid
send(const struct world_mail *m)
{
	struct uuid id = world_mail(seg, m);

	world_sync(seg, false);
	return id;
}

static void
restart(void)
{
	world_kill();
	world_start();
}

/* A queue with a bit of everything. */
static void
fill_queue(void)
{
	(void)send(&(struct world_mail){ .rcpts = { "a@one.test" } });
	(void)send(&(struct world_mail){
	    .rcpts = { "a@two.test", "b@two.test", "c@three.test" },
	    .tags = "x,y" });
	world_finish(OUTCOME_DEFERRED);
	(void)send(&(struct world_mail){ .rcpts = { "a@one.test" } });
	world_finish(OUTCOME_DELIVERED);
	(void)send(
	    &(struct world_mail){ .rcpts = { "a@four.test", "a@two.test" },
		.flags = MESSAGE_PLAIN_SENDER });
	world_finish(OUTCOME_FAILED);
	(void)send(&(struct world_mail){ .rcpts = { "later@five.test" },
	    .not_before_us = clock_wall_us() + 7200 * US_PER_S });
	world_settle();
}

static void
assert_same_after(void (*what)(void))
{
	char *before = world_dump();
	char *after;

	what();
	after = world_dump();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void
test_the_journal_alone_gives_the_same_queue(void **state)
{
	(void)state;
	fill_queue();
	assert_same_after(restart);
	assert_same_after(restart);
}

static void
test_a_checkpoint_and_the_rest_give_the_same_queue(void **state)
{
	(void)state;
	fill_queue();
	world_checkpoint();
	assert_int_equal(access("ckp/CURRENT", F_OK), 0);
	(void)send(&(struct world_mail){ .rcpts = { "z@six.test" } });
	world_finish(OUTCOME_DEFERRED);
	assert_same_after(restart);
}

static void
test_a_checkpoint_needs_no_older_journal(void **state)
{
	(void)state;
	fill_queue();
	restart(); /* the first file is complete now */
	(void)send(&(struct world_mail){ .rcpts = { "z@six.test" } });
	world_finish(OUTCOME_DEFERRED);
	world_checkpoint();
	assert_int_equal(unlink("jrn/00000001.jrn"), 0);
	assert_same_after(restart);
}

static void
test_a_damaged_checkpoint_is_not_believed(void **state)
{
	int fd;

	(void)state;
	fill_queue();
	world_checkpoint();
	fd = open("ckp/00000001.ckp", O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "damage", 6, 250), 6);
	(void)close(fd);
	log_set_level(LOG_LEVEL_ERROR);
	assert_same_after(restart);
}

static void
read_current(char name[16])
{
	FILE *f = fopen("ckp/CURRENT", "r");

	assert_non_null(f);
	assert_non_null(fgets(name, 16, f));
	(void)fclose(f);
}

/* Whether so many changes are enough for the next checkpoint. */
static bool
is_written_again_for(uint64_t facts)
{
	char before[16];
	char after[16];

	read_current(before);
	w.q->facts = facts;
	fake_loop_pass(60 * US_PER_S);
	world_settle();
	read_current(after);
	return strcmp(before, after) != 0;
}

static void
test_a_long_queue_is_written_again_for_many_changes_only(void **state)
{
	(void)state;
	for (int i = 0; i < 6000; i++) {
		(void)world_mail(seg,
		    &(struct world_mail){ .rcpts = { "later@five.test" },
			.not_before_us = clock_wall_us() + 7200 * US_PER_S });
		if (i % 50 == 0) {
			world_sync(seg, false);
		}
	}
	world_sync(seg, false);
	world_checkpoint();
	assert_false(is_written_again_for(1400)); /* 1000 do for a short one */
	assert_true(is_written_again_for(1600));
	assert_same_after(restart);
}

/* Work goes on between the slices of a checkpoint. */
static void
test_a_checkpoint_written_during_work_is_right(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		fill_queue();
	}
	checkpoint_begin(w.q);
	for (int i = 0; i < 20; i++) {
		(void)fake_loop_turn();
		(void)world_mail(
		    seg, &(struct world_mail){ .rcpts = { "q@seven.test" } });
		world_sync(seg, false);
		world_finish(i % 2 ? OUTCOME_DELIVERED : OUTCOME_DEFERRED);
	}
	world_checkpoint(); /* the one that runs */
	assert_int_equal(access("ckp/CURRENT", F_OK), 0);
	assert_same_after(restart);
}

static void
test_a_killed_qmgr_repeats_no_running_delivery(void **state)
{
	(void)state;
	(void)send(&(struct world_mail){ 0 });
	assert_int_equal(w.n_jobs, 1);
	restart();
	fake_loop_pass(60 * US_PER_S);
	assert_int_equal(w.n_jobs, 1);
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_events(EVENT_delivery), 1);
	assert_int_equal(w.acked, w.seq);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_result_not_acknowledged_is_taken_by_the_next_qmgr(void **state)
{
	(void)state;
	(void)send(&(struct world_mail){ 0 });
	world_kill();
	w.is_silent = true;
	world_start();
	w.jobs[0].is_open = true;
	world_finish(OUTCOME_DELIVERED);
	world_kill();
	w.is_silent = false;
	world_start();
	assert_int_equal(w.n_jobs, 1);
	assert_int_equal(world_events(EVENT_delivery), 1);
	assert_int_equal(world_queued(), 0);
}

static void
test_a_result_in_the_journal_is_not_written_again(void **state)
{
	struct world_job *j = &w.jobs[0];

	(void)state;
	(void)send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_DEFERRED);
	restart();
	world_result(j, 0, OUTCOME_DEFERRED, "again");
	world_settle();
	assert_int_equal(world_events(EVENT_deferral), 1);
	assert_int_equal(w.acked, w.seq);
}

static void
test_nothing_is_given_out_before_deliver_has_spoken(void **state)
{
	(void)state;
	(void)send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_RETURNED);
	w.jobs[1].is_open = false;
	world_kill();
	w.is_silent = true;
	world_start();
	fake_loop_pass(60 * US_PER_S);
	assert_int_equal(w.n_jobs, 2);
}

static void
test_what_was_delivered_is_not_read_from_its_segment_again(void **state)
{
	(void)state;
	(void)send(&(struct world_mail){ 0 });
	world_finish(OUTCOME_DELIVERED);
	restart();
	world_sync(seg, false); /* the writer says again how far it is */
	fake_loop_pass(60 * US_PER_S);
	assert_int_equal(w.n_jobs, 1);
	assert_int_equal(world_events(EVENT_accepted), 1);
	(void)send(&(struct world_mail){ 0 });
	assert_int_equal(w.n_jobs, 2);
}

static void
test_a_removed_segment_that_comes_back_is_not_read(void **state)
{
	char path[SEG_PATH_SIZE];

	(void)state;
	seg_path(world_segid(seg), path);
	(void)send(&(struct world_mail){ 0 });
	assert_int_equal(link(path, "kept"), 0);
	world_sync(seg, true);
	world_finish(OUTCOME_DELIVERED);
	assert_false(world_seg_exists(world_segid(seg)));
	world_kill();
	assert_int_equal(link("kept", path), 0);
	world_start();
	fake_loop_pass(60 * US_PER_S);
	assert_int_equal(w.n_jobs, 1);
	assert_false(world_seg_exists(world_segid(seg)));
}

static void
test_a_message_whose_place_was_not_written_is_accepted_once(void **state)
{
	struct journal_file f;
	struct event_accepted e;
	struct buf record = { 0 };
	struct plog_record rec;
	char path[SEG_PATH_SIZE];
	int dir;
	int fd;

	(void)state;
	world_kill();
	(void)world_mail(seg, &(struct world_mail){ 0 });
	world_sync_silently(seg);
	seg_path(world_segid(seg), path);
	fd = open(path, O_RDONLY);
	assert_int_equal(
	    plog_read_record(fd, world_segid(seg),
		PLOG_FILE_HEADER + PLOG_BATCH_HEADER, &record, &rec),
	    0);
	assert_int_equal(event_decode(rec.type, rec.rec.p, rec.rec.len, &e), 0);
	dir = open("jrn", O_RDONLY | O_DIRECTORY);
	journal_file_make(&f, dir, 100, clock_wall_us());
	(void)journal_file_add(&f, EVENT_accepted, &e);
	(void)journal_file_commit(&f, clock_wall_us());
	journal_file_close(&f);
	(void)close(dir);
	(void)close(fd);
	world_start();
	fake_loop_pass(60 * US_PER_S);
	world_settle();
	assert_int_equal(world_events(EVENT_accepted), 1);
	assert_int_equal(world_events(EVENT_stored), 1);
	assert_int_equal(w.n_jobs, 1);
	assert_same_after(restart);
	buf_fini(&record);
}

static void
test_a_pending_notification_outlives_a_restart(void **state)
{
	struct ipc_dsn_done done = { 0 };

	(void)state;
	(void)send(&(struct world_mail){ .flags = MESSAGE_PLAIN_SENDER });
	world_finish(OUTCOME_FAILED);
	assert_int_equal(w.dsns, 1);
	restart();
	assert_int_equal(w.dsns, 2);
	world_checkpoint();
	restart();
	assert_int_equal(w.dsns, 3);
	done.job = w.last_dsn;
	(void)peer_send(w.bouncer, IPC_dsn_done, 0, &done);
	world_settle();
	restart();
	assert_int_equal(w.dsns, 3);
	assert_int_equal(world_queued(), 0);
}

/* Some journal files' worth of events from few messages. */
static void
deliver_at_length(int messages)
{
	char said[1001];

	memset(said, 'x', sizeof(said) - 1);
	said[sizeof(said) - 1] = '\0';
	for (int i = 0; i < messages; i++) {
		w.n_jobs = 0;
		(void)send(&(struct world_mail){
		    .rcpts = { "a@one.test", "b@one.test", "c@one.test",
			"d@one.test", "e@one.test", "f@one.test" } });
		for (uint32_t k = 0; k < w.n_jobs; k++) {
			for (uint32_t n = 0; n < w.jobs[k].n; n++) {
				world_result(
				    &w.jobs[k], n, OUTCOME_DELIVERED, said);
			}
		}
		world_settle();
	}
}

static void
test_old_journal_files_go_when_nothing_needs_them(void **state)
{
	(void)state;
	world_kill();
	world_conf("journal_file_size = 64K\nevent_retention_size = 64M\n"
		   "event_retention_time = 1h\n");
	world_start();
	deliver_at_length(40);
	assert_int_equal(access("jrn/00000003.jrn", F_OK), 0);
	fake_loop_pass(7200 * US_PER_S);
	assert_int_not_equal(access("jrn/00000001.jrn", F_OK), 0);
	assert_same_after(restart);
}

static void
wait_for_indexes(void)
{
	while (indexer_pending(w.q->indexer) != 0) {
		(void)sched_yield();
	}
}

static void
test_finished_journal_files_get_indexes_again_when_lost(void **state)
{
	(void)state;
	world_kill();
	world_conf("journal_file_size = 64K\nevent_retention_size = 64M\n"
		   "event_retention_time = 1h\n");
	world_start();
	deliver_at_length(40);
	wait_for_indexes();
	/* One that is lost, and one without a journal file. */
	assert_int_equal(unlink("jrn/00000003.idx"), 0);
	assert_int_equal(rename("jrn/00000002.idx", "jrn/0000ffff.idx"), 0);
	restart();
	wait_for_indexes();
	assert_int_equal(access("jrn/00000002.idx", F_OK), 0);
	assert_int_equal(access("jrn/00000003.idx", F_OK), 0);
	assert_int_not_equal(access("jrn/0000ffff.idx", F_OK), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_the_journal_alone_gives_the_same_queue),
		T(test_a_checkpoint_and_the_rest_give_the_same_queue),
		T(test_a_checkpoint_needs_no_older_journal),
		T(test_a_damaged_checkpoint_is_not_believed),
		T(test_a_long_queue_is_written_again_for_many_changes_only),
		T(test_a_checkpoint_written_during_work_is_right),
		T(test_a_killed_qmgr_repeats_no_running_delivery),
		T(test_a_result_not_acknowledged_is_taken_by_the_next_qmgr),
		T(test_a_result_in_the_journal_is_not_written_again),
		T(test_nothing_is_given_out_before_deliver_has_spoken),
		T(test_what_was_delivered_is_not_read_from_its_segment_again),
		T(test_a_removed_segment_that_comes_back_is_not_read),
		T(test_a_message_whose_place_was_not_written_is_accepted_once),
		T(test_a_pending_notification_outlives_a_restart),
		T(test_old_journal_files_go_when_nothing_needs_them),
		T(test_finished_journal_files_get_indexes_again_when_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
