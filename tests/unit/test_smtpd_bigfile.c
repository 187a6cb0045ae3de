#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bigfile.h"
#include "fake_loop.h"
#include "loop.h"
#include "param.h"
#include "peer.h"
#include "service.h"

#define TRIES 5000

static struct conf config = { .smtpd_service_timeout = 1000000 };
static peer_reply_fn *asked_fn;
static void *asked_arg;
static int offered_fd;
static unsigned requests;
static unsigned calls;
static int last_status;

/* ---- instead of lib/service.c and lib/peer.c ---------------------------- */

const struct conf *
conf(void)
{
	return &config;
}

struct peer *
service_master(void)
{
	return (struct peer *)(void *)&config;
}

int
peer_call(struct peer *p, enum ipc_type type, const void *m, int fd,
    uint64_t timeout_us, peer_reply_fn *fn, void *arg, uint32_t *call)
{
	(void)p;
	(void)m;
	(void)fd;
	(void)timeout_us;
	assert_int_equal(type, IPC_file_req);
	asked_fn = fn;
	asked_arg = arg;
	*call = ++requests;
	return 0;
}

void
peer_call_cancel(struct peer *p, uint32_t call)
{
	(void)p;
	assert_int_equal(call, requests);
	asked_fn = NULL;
}

int
peer_take_fd(struct peer *p)
{
	(void)p;
	return offered_fd;
}

/* ---- helpers ------------------------------------------------------------ */

static void
on_done(void *arg, int status)
{
	(void)arg;
	calls++;
	last_status = status;
}

/* The helper thread takes its time; the clock of the loop stands. */
static void
wait_for_call(unsigned n)
{
	for (int i = 0; i < TRIES && calls < n; i++) {
		fake_loop_settle();
	}
	assert_int_equal(calls, n);
}

static void
answer(int fd, uint32_t status)
{
	struct ipc_file_rep rep = { .status = status, .segid = 42 };

	offered_fd = fd;
	asked_fn(asked_arg, IPC_file_rep, &rep);
}

static struct bigfile *
open_file(int fd)
{
	struct bigfile *b = bigfile_open(on_done, NULL);

	assert_false(bigfile_is_idle(b));
	answer(fd, 0);
	wait_for_call(1);
	assert_int_equal(last_status, 0);
	assert_true(bigfile_is_idle(b));
	return b;
}

static void
write_text(struct bigfile *b, const char *text, unsigned n)
{
	struct buf data = { 0 };

	buf_puts(&data, text);
	bigfile_write(b, &data);
	assert_int_equal(data.len, 0);
	assert_false(bigfile_is_idle(b));
	wait_for_call(n);
}

static int
setup(void **state)
{
	(void)state;
	calls = 0;
	requests = 0;
	asked_fn = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	bigfile_fini();
	return 0;
}

static int
new_file(void)
{
	int fd = memfd_create("big", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* ---- tests -------------------------------------------------------------- */

static void
bigfile_writes_in_order_and_syncs(void **state)
{
	int fd = new_file();
	int copy = dup(fd);
	struct bigfile *b = open_file(fd);
	char text[16] = "";

	(void)state;
	assert_int_equal(bigfile_number(b), 42);
	write_text(b, "first ", 2);
	write_text(b, "second", 3);
	bigfile_sync(b);
	wait_for_call(4);
	assert_int_equal(last_status, 0);
	bigfile_close(&b, true);
	assert_null(b);
	assert_int_equal(pread(copy, text, 15, 0), 12);
	assert_string_equal(text, "first second");
	close(copy);
}

static void
bigfile_not_kept_is_emptied_and_used_again(void **state)
{
	int fd = new_file();
	int copy = dup(fd);
	struct bigfile *b = open_file(fd);
	struct stat st = { .st_size = 1 };

	(void)state;
	write_text(b, "secret", 2);
	bigfile_close(&b, false);
	for (int i = 0; i < TRIES && st.st_size != 0; i++) {
		fake_loop_settle();
		assert_int_equal(fstat(copy, &st), 0);
	}
	assert_int_equal(st.st_size, 0);
	fake_loop_settle();
	b = bigfile_open(on_done, NULL);
	wait_for_call(3);
	assert_int_equal(requests, 1);
	write_text(b, "new", 4);
	assert_int_equal(fstat(copy, &st), 0);
	assert_int_equal(st.st_size, 3);
	bigfile_close(&b, true);
	close(copy);
}

static void
bigfile_reports_a_failed_write(void **state)
{
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct bigfile *b = open_file(fd);

	(void)state;
	write_text(b, "x", 2);
	assert_int_equal(last_status, -ENOSPC);
	bigfile_close(&b, false);
}

static void
bigfile_reports_that_master_has_no_file(void **state)
{
	struct bigfile *b = bigfile_open(on_done, NULL);

	(void)state;
	answer(-1, ENOSPC);
	assert_int_equal(calls, 0); /* never from within */
	wait_for_call(1);
	assert_int_equal(last_status, -ENOSPC);
	bigfile_close(&b, false);
}

static void
bigfile_closed_early_calls_nobody(void **state)
{
	struct bigfile *b = bigfile_open(on_done, NULL);
	struct buf data = { 0 };

	(void)state;
	bigfile_close(&b, false);
	assert_null(asked_fn);
	b = open_file(new_file());
	buf_puts(&data, "x");
	bigfile_write(b, &data);
	bigfile_close(&b, false);
	fake_loop_settle();
	assert_int_equal(calls, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(bigfile_writes_in_order_and_syncs),
		T(bigfile_not_kept_is_emptied_and_used_again),
		T(bigfile_reports_a_failed_write),
		T(bigfile_reports_that_master_has_no_file),
		T(bigfile_closed_early_calls_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
