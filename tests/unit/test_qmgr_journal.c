#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "fake_loop.h"
#include "log.h"
#include "qmgr_world.h"

static struct world_seg *seg;
static int sync_error;	/* of journal files; 0: none */
static int write_error; /* the same */
static int file_error;	/* of making a journal file */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
ssize_t __real_pwritev(int fd, const struct iovec *iov, int n, off_t off);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t off);

static bool
has_end(int fd, const char *end)
{
	char link[64];
	char path[256];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 4) {
		return false;
	}
	path[n] = '\0';
	return strcmp(path + n - 4, end) == 0;
}

static bool
is_journal(int fd)
{
	return has_end(fd, ".jrn");
}

/* Of directories. */
int
__wrap_fsync(int fd)
{
	if (file_error != 0 && has_end(fd, "/jrn")) {
		errno = file_error;
		return -1;
	}
	return __real_fsync(fd);
}

int
__wrap_fdatasync(int fd)
{
	if (sync_error != 0 && is_journal(fd)) {
		errno = sync_error;
		return -1;
	}
	return __real_fdatasync(fd);
}

ssize_t
__wrap_pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	if (write_error != 0 && is_journal(fd)) {
		errno = write_error;
		return -1;
	}
	return __real_pwritev(fd, iov, n, off);
}

static int
setup(void **state)
{
	(void)world_setup(state);
	log_set_level(LOG_LEVEL_ERROR);
	sync_error = 0;
	write_error = 0;
	file_error = 0;
	world_start();
	seg = world_seg(0, 1, 1);
	return 0;
}

static int
teardown(void **state)
{
	world_seg_close(&seg);
	return world_teardown(state);
}

static void
send(void)
{
	(void)world_mail(seg, &(struct world_mail){ 0 });
	world_sync(seg, false);
}

/* Seconds in which the helper threads may work too. */
static void
wait_s(int n)
{
	for (int i = 0; i < n; i++) {
		fake_loop_pass(US_PER_S);
		fake_loop_settle();
	}
}

static void
fail_and_recover(int *error, int value)
{
	*error = value;
	send();
	wait_s(5);
	assert_int_equal(w.n_jobs, 0);
	assert_int_equal(w.pressure, PRESSURE_DISK);
	send();
	wait_s(5);
	assert_int_equal(w.n_jobs, 0);
	*error = 0;
	wait_s(16);
	assert_int_equal(w.n_jobs, 2);
	assert_int_equal(w.pressure, PRESSURE_NONE);
	world_finish(OUTCOME_DELIVERED);
	assert_int_equal(world_queued(), 0);
	assert_int_equal(world_events(EVENT_delivery), 2);
}

static void
test_nothing_is_given_out_while_syncs_fail(void **state)
{
	(void)state;
	fail_and_recover(&sync_error, EIO);
}

static void
test_nothing_is_given_out_while_the_disk_is_full(void **state)
{
	(void)state;
	fail_and_recover(&write_error, ENOSPC);
}

static unsigned
count_journal_files(void)
{
	DIR *d = opendir("jrn");
	const struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		n += strstr(e->d_name, ".jrn") != NULL;
	}
	(void)closedir(d);
	return n;
}

static void
test_a_failing_disk_is_tried_ever_more_seldom(void **state)
{
	unsigned before;
	unsigned after;

	(void)state;
	before = count_journal_files();
	sync_error = EIO;
	send();
	wait_s(80);
	after = count_journal_files();
	assert_in_range(after - before, 2, 10);
	sync_error = 0;
	wait_s(16);
	assert_int_equal(w.n_jobs, 1);
	/* What follows is a new failure. */
	sync_error = EIO;
	send();
	wait_s(1);
	sync_error = 0;
	wait_s(2);
	assert_int_equal(w.n_jobs, 2);
}

/* Nothing waits to be written then, whose writing would show that it works. */
static void
test_work_goes_on_when_the_next_file_can_be_made_again(void **state)
{
	(void)state;
	file_error = EIO;
	send();
	wait_s(5);
	assert_int_equal(w.pressure, PRESSURE_DISK);
	file_error = 0;
	wait_s(5);
	assert_int_equal(w.pressure, PRESSURE_NONE);
	send();
	wait_s(1);
	assert_int_equal(w.n_jobs, 2);
}

static void
test_results_are_acknowledged_only_when_they_are_durable(void **state)
{
	(void)state;
	send();
	sync_error = EIO;
	world_finish(OUTCOME_DELIVERED);
	wait_s(5);
	assert_int_equal(w.acked, 0);
	sync_error = 0;
	wait_s(5);
	assert_int_equal(w.acked, 1);
}

static void
test_what_was_written_twice_is_replayed_once(void **state)
{
	char *before;
	char *after;

	(void)state;
	send();
	send();
	sync_error = EIO;
	world_finish(OUTCOME_DEFERRED);
	wait_s(3);
	sync_error = 0;
	wait_s(3);
	before = world_dump();
	world_kill();
	world_start();
	after = world_dump();
	assert_string_equal(before, after);
	assert_int_equal(w.n_jobs, 2);
	free(before);
	free(after);
}

static void
test_a_crash_while_the_journal_fails_loses_nothing(void **state)
{
	(void)state;
	sync_error = EIO;
	send();
	wait_s(3);
	world_kill();
	sync_error = 0;
	world_start();
	world_sync(seg, false);
	wait_s(3);
	assert_int_equal(w.n_jobs, 1);
	assert_int_equal(world_queued(), 1);
}

static void
test_a_busy_journal_is_synced_for_many_records_at_once(void **state)
{
	struct plog_stats st;

	(void)state;
	for (int i = 0; i < 40; i++) {
		(void)world_mail(seg, &(struct world_mail){ 0 });
	}
	world_sync(seg, false);
	jrn_stats(w.q->jrn, &st);
	assert_true(st.records >= 81);
	assert_true(st.batches <= 8);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_nothing_is_given_out_while_syncs_fail),
		T(test_nothing_is_given_out_while_the_disk_is_full),
		T(test_a_failing_disk_is_tried_ever_more_seldom),
		T(test_work_goes_on_when_the_next_file_can_be_made_again),
		T(test_results_are_acknowledged_only_when_they_are_durable),
		T(test_what_was_written_twice_is_replayed_once),
		T(test_a_crash_while_the_journal_fails_loses_nothing),
		T(test_a_busy_journal_is_synced_for_many_records_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
