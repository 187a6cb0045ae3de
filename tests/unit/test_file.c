/*
 * Whole files: what is too large, no text or not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"

/* More than one read of lib/file.c takes. */
#define LONG 100000

static int
file_with(const void *p, size_t n)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, p, n), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void
test_file_what_is_written_is_read_behind_what_was_there(void **state)
{
	struct buf all = { 0 }, text = { 0 };
	int fd;

	(void)state;
	for (size_t i = 0; i < LONG; i++) {
		buf_u8(&all, (uint8_t)(i * 7));
	}
	fd = file_with(all.p, all.len);
	buf_puts(&text, "first");
	assert_int_equal(file_read(fd, LONG, &text), 0);
	assert_int_equal(text.len, 5 + LONG);
	assert_memory_equal(text.p, "first", 5);
	assert_memory_equal(text.p + 5, all.p, LONG);
	(void)close(fd);
	buf_fini(&all);
	buf_fini(&text);
}

static void
test_file_one_byte_more_than_allowed_is_too_large(void **state)
{
	struct buf all = { 0 }, text = { 0 };
	int fd;

	(void)state;
	buf_zero(&all, LONG);
	fd = file_with(all.p, all.len);
	assert_int_equal(file_read(fd, LONG - 1, &text), -EFBIG);
	(void)close(fd);
	buf_fini(&all);
	buf_fini(&text);
}

/* What file_load_text says of a file with these bytes, at most max. */
static int
load(const void *p, size_t n, size_t max, struct buf *error)
{
	char path[] = "/tmp/test_file.XXXXXX";
	struct buf text = { 0 };
	int fd = mkstemp(path);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, p, n), 0);
	r = file_load_text(path, max, &text, error);
	if (r < 0) {
		/* The sentence begins with the file. */
		assert_true(str_starts(buf_str(error), path));
	}
	(void)close(fd);
	(void)unlink(path);
	buf_fini(&text);
	return r;
}

static void
test_file_text_with_a_nul_byte_is_refused_with_its_path(void **state)
{
	struct buf error = { 0 };

	(void)state;
	assert_int_equal(load("a = b\n\0", 7, 100, &error), -EINVAL);
	buf_fini(&error);
	assert_int_equal(load("a = b\n", 6, 100, &error), 0);
	assert_int_equal(error.len, 0);
	assert_int_equal(load("", 0, 100, &error), 0);
}

static void
test_file_text_too_large_is_refused_with_its_path(void **state)
{
	struct buf error = { 0 };

	(void)state;
	assert_int_equal(load("a = b\n", 6, 5, &error), -EFBIG);
	buf_fini(&error);
}

static void
test_file_a_missing_text_is_the_callers_to_judge(void **state)
{
	struct buf text = { 0 }, error = { 0 };

	(void)state;
	assert_int_equal(
	    file_load_text("/nonexistent/file", 100, &text, &error), -ENOENT);
	assert_int_equal(error.len, 0);
	buf_fini(&text);
}

static void
test_file_a_directory_is_no_text(void **state)
{
	struct buf text = { 0 }, error = { 0 };

	(void)state;
	assert_int_equal(file_load_text("/", 100, &text, &error), -EISDIR);
	assert_true(str_starts(buf_str(&error), "/: "));
	buf_fini(&text);
	buf_fini(&error);
}

static void
test_file_a_full_disk_is_an_error(void **state)
{
	struct buf all = { 0 };
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	buf_zero(&all, LONG);
	assert_int_equal(file_write(fd, all.p, all.len), -ENOSPC);
	(void)close(fd);
	buf_fini(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_file_what_is_written_is_read_behind_what_was_there),
		cmocka_unit_test(
		    test_file_one_byte_more_than_allowed_is_too_large),
		cmocka_unit_test(
		    test_file_text_with_a_nul_byte_is_refused_with_its_path),
		cmocka_unit_test(
		    test_file_text_too_large_is_refused_with_its_path),
		cmocka_unit_test(
		    test_file_a_missing_text_is_the_callers_to_judge),
		cmocka_unit_test(test_file_a_directory_is_no_text),
		cmocka_unit_test(test_file_a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
