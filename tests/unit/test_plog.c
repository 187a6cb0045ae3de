#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fake_loop.h"
#include "loop.h"
#include "plog.h"
#include "plog_format.h"
#include "uuid.h"

/* fdatasync as the writer sees it: may be told to fail. */
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static int failing_syncs;

int
__wrap_fdatasync(int fd)
{
	if (failing_syncs > 0) {
		failing_syncs--;
		errno = EIO;
		return -1;
	}
	return __real_fdatasync(fd);
}

struct fixture {
	struct plog_writer *w;
	char dir[64];
	unsigned files;	    /* made so far */
	unsigned files_max; /* more are refused */
	unsigned expected;
	unsigned done_ok, done_bad;
	int last_status;
	uint64_t last_off, last_segid;
	uint64_t durable, sealed;
};

static void
file_path(const struct fixture *f, unsigned n, char *dst, size_t size)
{
	(void)snprintf(dst, size, "%s/%u.seg", f->dir, n);
}

static void
need_file(void *arg)
{
	struct fixture *f = arg;
	char path[128];
	int fd;

	if (f->files >= f->files_max) {
		return;
	}
	file_path(f, f->files, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	plog_writer_add_file(f->w, fd, segment_id(1, 7, f->files++));
}

static void
durable(void *arg, uint64_t segid, uint64_t off, bool is_sealed)
{
	struct fixture *f = arg;

	(void)segid;
	f->durable = off;
	f->sealed += is_sealed ? 1 : 0;
}

static unsigned
expected(void *arg)
{
	return ((struct fixture *)arg)->expected;
}

static void
done(void *arg, int status, uint64_t segid, uint64_t off)
{
	struct fixture *f = arg;

	f->last_status = status;
	f->last_segid = segid;
	f->last_off = off;
	if (status == 0) {
		f->done_ok++;
	} else {
		f->done_bad++;
	}
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "plog-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->files_max = 100;
	loop_init();
	f->w = plog_writer_new(&(struct plog_config){ .kind = PLOG_MAIL,
	    .file_size = 16 * 1024,
	    .batch_bytes = 1 << 20,
	    .batch_records = 64,
	    .wait_us = 3000,
	    .is_adaptive = true,
	    .expected = expected,
	    .need_file = need_file,
	    .durable = durable,
	    .arg = f });
	*state = f;
	failing_syncs = 0;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char path[128];

	plog_writer_free(&f->w);
	for (unsigned i = 0; i < f->files; i++) {
		file_path(f, i, path, sizeof(path));
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void
append(struct fixture *f, const char *rec, const char *content)
{
	struct iovec iov = { (void *)(uintptr_t)content, strlen(content) };

	assert_int_equal(
	    plog_append(f->w, 1, rec, strlen(rec), &iov, 1, done, f), 0);
}

static void
wait_idle(struct fixture *f)
{
	for (int i = 0; i < 2000 && plog_writer_pending(f->w) != 0; i++) {
		fake_loop_settle();
	}
	assert_int_equal(plog_writer_pending(f->w), 0);
}

static int
open_file(const struct fixture *f, unsigned n, int flags)
{
	char path[128];
	int fd;

	file_path(f, n, path, sizeof(path));
	fd = open(path, flags | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void
assert_content(int fd, const struct plog_reader *r,
    const struct plog_record *rec, const char *want)
{
	char got[256] = "";

	assert_int_equal(rec->content_len, strlen(want));
	assert_int_equal(plog_read_content(fd, r->segid, rec->content_off, got,
			     rec->content_len, rec->content_crc),
	    0);
	assert_string_equal(got, want);
}

static void
test_plog_records_and_contents_are_read_as_written(void **state)
{
	struct fixture *f = *state;
	struct plog_reader r;
	struct plog_record rec;
	int fd;

	append(f, "first", "the content of the first");
	append(f, "second", "");
	append(f, "a third record", "and content\r\n");
	wait_idle(f);
	assert_int_equal(f->done_ok, 3);
	fd = open_file(f, 0, O_RDONLY);
	assert_int_equal(plog_reader_init(&r, fd), 0);
	assert_int_equal(plog_reader_batch(&r, f->durable), 1);
	assert_true(plog_reader_record(&r, &rec));
	assert_true(str_is(rec.rec, "first"));
	assert_content(fd, &r, &rec, "the content of the first");
	assert_true(plog_reader_record(&r, &rec));
	assert_true(str_is(rec.rec, "second"));
	assert_int_equal(rec.content_len, 0);
	assert_true(plog_reader_record(&r, &rec));
	assert_int_equal(rec.index, 2);
	assert_content(fd, &r, &rec, "and content\r\n");
	assert_int_equal(rec.off, f->last_off);
	assert_false(plog_reader_record(&r, &rec));
	assert_int_equal(plog_reader_batch(&r, f->durable), 0);
	plog_reader_fini(&r);
	(void)close(fd);
}

static void
test_plog_one_record_is_read_at_the_place_done_told(void **state)
{
	struct fixture *f = *state;
	struct buf b = { 0 };
	struct plog_record rec;
	int fd;

	append(f, "first", "x");
	append(f, "second", "y");
	wait_idle(f);
	fd = open_file(f, 0, O_RDONLY);
	assert_int_equal(
	    plog_read_record(fd, f->last_segid, f->last_off, &b, &rec), 0);
	assert_true(str_is(rec.rec, "second"));
	assert_int_equal(
	    plog_read_record(fd, f->last_segid + 1, f->last_off, &b, &rec),
	    -EBADMSG);
	buf_fini(&b);
	(void)close(fd);
}

static void
test_plog_records_of_one_turn_share_a_sync(void **state)
{
	struct fixture *f = *state;
	struct plog_stats stats;

	for (int i = 0; i < 20; i++) {
		append(f, "record", "content");
	}
	wait_idle(f);
	plog_writer_stats(f->w, &stats);
	assert_int_equal(stats.records, 20);
	assert_int_equal(stats.batches, 1);
}

static void
test_plog_a_batch_waits_for_the_records_that_are_expected(void **state)
{
	struct fixture *f = *state;
	struct plog_stats stats;

	f->expected = 1;
	append(f, "record", "content");
	fake_loop_settle();
	assert_int_equal(f->done_ok, 0);
	f->expected = 0;
	append(f, "company", "content");
	wait_idle(f);
	plog_writer_stats(f->w, &stats);
	assert_int_equal(stats.batches, 1);
}

static void
test_plog_a_batch_does_not_wait_longer_than_it_may(void **state)
{
	struct fixture *f = *state;

	f->expected = 1;
	append(f, "record", "content");
	fake_loop_settle();
	assert_int_equal(f->done_ok, 0);
	fake_loop_pass(3000);
	wait_idle(f);
	assert_int_equal(f->done_ok, 1);
}

static void
test_plog_a_wait_in_vain_makes_the_next_one_shorter(void **state)
{
	struct fixture *f = *state;

	f->expected = 1;
	append(f, "record", "content");
	fake_loop_settle();
	fake_loop_pass(3000);
	wait_idle(f);
	assert_int_equal(f->done_ok, 1);
	append(f, "record", "content");
	fake_loop_settle();
	fake_loop_pass(1500);
	wait_idle(f);
	assert_int_equal(f->done_ok, 2);
	/* Company came: the next wait is as long as at first. */
	append(f, "record", "content");
	fake_loop_settle();
	append(f, "company", "content");
	f->expected = 0;
	wait_idle(f);
	assert_int_equal(f->done_ok, 4);
	f->expected = 1;
	append(f, "record", "content");
	fake_loop_settle();
	fake_loop_pass(2999);
	assert_int_equal(f->done_ok, 4);
	fake_loop_pass(1);
	wait_idle(f);
	assert_int_equal(f->done_ok, 5);
}

static void
test_plog_a_batch_leaves_when_who_was_expected_has_gone(void **state)
{
	struct fixture *f = *state;

	f->expected = 1;
	append(f, "record", "content");
	fake_loop_settle();
	f->expected = 0;
	assert_int_equal(f->done_ok, 0);
	plog_writer_look(f->w);
	wait_idle(f);
	assert_int_equal(f->done_ok, 1);
}

static void
test_plog_a_full_file_is_sealed_and_the_next_one_taken(void **state)
{
	struct fixture *f = *state;
	static char big[10000];
	uint64_t segid;
	uint32_t index;

	memset(big, 'x', sizeof(big) - 1);
	for (int i = 0; i < 3; i++) {
		append(f, "record", big);
		wait_idle(f);
	}
	assert_int_equal(plog_writer_next(f->w, &segid, &index), 0);
	assert_int_equal(segid, segment_id(1, 7, 1));
	assert_int_equal(index, 1);
	assert_int_equal(f->sealed, 1);
}

static void
test_plog_without_a_file_nothing_is_taken(void **state)
{
	struct fixture *f = *state;

	f->files_max = 0;
	assert_int_equal(
	    plog_append(f->w, 1, "r", 1, NULL, 0, done, f), -EAGAIN);
	assert_int_equal(f->done_ok + f->done_bad, 0);
}

static void
test_plog_a_failed_sync_is_never_acknowledged_nor_the_file_used(void **state)
{
	struct fixture *f = *state;
	uint64_t segid;
	uint32_t index;

	append(f, "good", "1");
	wait_idle(f);
	failing_syncs = 1;
	append(f, "lost", "2");
	wait_idle(f);
	assert_int_equal(f->last_status, -EIO);
	assert_int_equal(f->done_bad, 1);
	assert_int_equal(plog_writer_next(f->w, &segid, &index), 0);
	assert_int_equal(segid, segment_id(1, 7, 1));
	append(f, "good again", "3");
	wait_idle(f);
	assert_int_equal(f->done_ok, 2);
	assert_int_equal(f->last_segid, segment_id(1, 7, 1));
}

/* Files may grow up to the size only; RLIM_INFINITY: as they like. */
static void
allow_size(rlim_t size)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
test_plog_a_batch_without_space_leaves_the_file_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct plog_reader r;
	int fd;

	for (unsigned n = 0; n < 2; n++) {
		uint64_t before = f->durable;

		append(f, "x", ""); /* takes the file */
		allow_size(before + (n == 0 ? PLOG_FILE_HEADER : 0) + 10);
		wait_idle(f);
		allow_size(RLIM_INFINITY);
		assert_int_equal(f->last_status, -ENOSPC);
		fd = open_file(f, 0, O_RDONLY);
		assert_int_equal(lseek(fd, 0, SEEK_END), before);
		assert_int_equal(
		    plog_reader_init(&r, fd), n == 0 ? -ENODATA : 0);
		(void)close(fd);
		append(f, "there is space", "now");
		wait_idle(f);
		assert_int_equal(f->last_status, 0);
	}
}

/* Cuts the file after the size and reads it: the result and the records. */
static int
read_cut(const struct fixture *f, off_t size, unsigned *records)
{
	struct plog_reader r;
	struct plog_record rec;
	int fd = open_file(f, 0, O_RDWR), e;

	assert_int_equal(ftruncate(fd, size), 0);
	*records = 0;
	e = plog_reader_init(&r, fd);
	if (e == 0) {
		while ((e = plog_reader_batch(&r, UINT64_MAX)) == 1) {
			while (plog_reader_record(&r, &rec)) {
				(*records)++;
			}
		}
		plog_reader_fini(&r);
	}
	(void)close(fd);
	return e;
}

static void
test_plog_a_file_cut_anywhere_keeps_all_batches_before(void **state)
{
	struct fixture *f = *state;
	uint64_t ends[3];
	unsigned records;

	for (int i = 0; i < 3; i++) {
		append(f, "record", "content of it");
		wait_idle(f);
		ends[i] = f->durable;
	}
	for (off_t size = (off_t)ends[2]; size >= PLOG_FILE_HEADER; size--) {
		unsigned whole = 0;
		int e = read_cut(f, size, &records);

		/* records count with their batch's header and records; the
		 * content's checksum is deliver's to see */
		for (int i = 0; i < 3; i++) {
			whole += (uint64_t)size >= ends[i];
		}
		assert_true(records >= whole);
		assert_true(e == 0 || e == -EBADMSG);
	}
}

static void
flip_byte(const struct fixture *f, uint64_t off)
{
	int fd = open_file(f, 0, O_RDWR);
	uint8_t b;

	assert_int_equal(pread(fd, &b, 1, (off_t)off), 1);
	b ^= 0x40;
	assert_int_equal(pwrite(fd, &b, 1, (off_t)off), 1);
	(void)close(fd);
}

static void
test_plog_damage_before_acknowledged_bytes_is_an_alarm(void **state)
{
	struct fixture *f = *state;
	struct plog_reader r;
	uint64_t first_end;
	int fd;

	append(f, "first", "content");
	wait_idle(f);
	first_end = f->durable;
	append(f, "second", "content");
	wait_idle(f);
	append(f, "third", "content");
	wait_idle(f);
	flip_byte(f, first_end + PLOG_BATCH_HEADER + 30);
	fd = open_file(f, 0, O_RDONLY);
	assert_int_equal(plog_reader_init(&r, fd), 0);
	assert_int_equal(plog_reader_batch(&r, UINT64_MAX), 1);
	assert_int_equal(plog_reader_batch(&r, UINT64_MAX), -EUCLEAN);
	assert_true(plog_reader_skip(&r) > 0);
	assert_int_equal(plog_reader_batch(&r, UINT64_MAX), 1);
	assert_int_equal(plog_reader_batch(&r, UINT64_MAX), 0);
	plog_reader_fini(&r);
	(void)close(fd);
}

static void
test_plog_damage_in_the_last_batch_is_a_torn_tail(void **state)
{
	struct fixture *f = *state;
	struct plog_reader r;
	uint64_t first_end;
	int fd;

	append(f, "first", "content");
	wait_idle(f);
	first_end = f->durable;
	append(f, "second", "content");
	wait_idle(f);
	flip_byte(f, first_end + 3);
	fd = open_file(f, 0, O_RDONLY);
	assert_int_equal(plog_reader_init(&r, fd), 0);
	assert_int_equal(plog_reader_batch(&r, UINT64_MAX), 1);
	assert_int_equal(plog_reader_batch(&r, UINT64_MAX), -EBADMSG);
	plog_reader_fini(&r);
	(void)close(fd);
}

static void
test_plog_a_changed_content_fails_its_checksum(void **state)
{
	struct fixture *f = *state;
	struct plog_reader r;
	struct plog_record rec;
	char got[64];
	int fd;

	append(f, "record", "the content");
	wait_idle(f);
	flip_byte(f,
	    PLOG_FILE_HEADER + PLOG_BATCH_HEADER + PLOG_RECORD_HEADER + 8 + 3);
	fd = open_file(f, 0, O_RDONLY);
	assert_int_equal(plog_reader_init(&r, fd), 0);
	assert_int_equal(plog_reader_batch(&r, UINT64_MAX), 1);
	assert_true(plog_reader_record(&r, &rec));
	assert_int_equal(plog_read_content(fd, r.segid, rec.content_off, got,
			     rec.content_len, rec.content_crc),
	    -EBADMSG);
	plog_reader_fini(&r);
	(void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plog_records_and_contents_are_read_as_written),
		TEST(test_plog_one_record_is_read_at_the_place_done_told),
		TEST(test_plog_records_of_one_turn_share_a_sync),
		TEST(test_plog_a_batch_waits_for_the_records_that_are_expected),
		TEST(test_plog_a_batch_does_not_wait_longer_than_it_may),
		TEST(test_plog_a_wait_in_vain_makes_the_next_one_shorter),
		TEST(test_plog_a_batch_leaves_when_who_was_expected_has_gone),
		TEST(test_plog_a_full_file_is_sealed_and_the_next_one_taken),
		TEST(test_plog_without_a_file_nothing_is_taken),
		TEST(
		    test_plog_a_failed_sync_is_never_acknowledged_nor_the_file_used),
		TEST(test_plog_a_batch_without_space_leaves_the_file_as_it_was),
		TEST(test_plog_a_file_cut_anywhere_keeps_all_batches_before),
		TEST(test_plog_damage_before_acknowledged_bytes_is_an_alarm),
		TEST(test_plog_damage_in_the_last_batch_is_a_torn_tail),
		TEST(test_plog_a_changed_content_fails_its_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
