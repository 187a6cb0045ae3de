/* The filter's file: believed after a stop and after a kill, not otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "store.h"

#define KEYS 3000u
#define SIZE (1u << 18)

struct fixture {
	char path[48];
	struct store *store;
};

static struct store *
open_sized(const char *path, const char *boot, uint64_t size)
{
	const struct store_options o = { .directory = path,
		.cache_size = 1 << 20,
		.filter_bytes = size,
		.boot = boot };
	struct store *s = NULL;
	struct buf error = { 0 };

	assert_int_equal(store_open(&o, &s, &error), 0);
	return s;
}

static struct store *
open_store(const char *path, const char *boot)
{
	return open_sized(path, boot, SIZE);
}

/* A shell's command, from a format with the path of a file. */
static void PRINTF(1, 2) shell(const char *fmt, ...)
{
	char command[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static struct str
key_of(char *dst, size_t size, unsigned n)
{
	snprintf(dst, size, "user%u@example.test", n);
	return str_of(dst);
}

static void
change(struct store *s, unsigned from, unsigned to, bool is_put)
{
	struct store_txn *t = NULL;
	char key[64];

	assert_int_equal(store_begin(s, &t), 0);
	for (unsigned i = from; i < to; i++) {
		struct str k = key_of(key, sizeof(key), i);

		assert_int_equal(is_put ? store_put(t, STORE_SUPPRESSION, k, k)
					: store_del(t, STORE_SUPPRESSION, k),
		    0);
	}
	assert_int_equal(store_commit(&t), 0);
}

static unsigned
count(struct store *s, unsigned from, unsigned to)
{
	unsigned n = 0;
	char key[64];

	for (unsigned i = from; i < to; i++) {
		struct buf b = { 0 };

		n += store_get(s, NULL, STORE_SUPPRESSION,
			 key_of(key, sizeof(key), i), &b) == 0;
		buf_fini(&b);
	}
	return n;
}

static void
wait_filled(struct store *s)
{
	while (!store_is_filtered(s)) {
		(void)usleep(1000); /* its thread is at work */
	}
}

static int
setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	loop_init();
	snprintf(f->path, sizeof(f->path), "/tmp/test_filter.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->store = open_store(f->path, "boot");
	wait_filled(f->store);
	change(f->store, 0, KEYS, true);
	store_close(&f->store);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(&f->store);
	shell("rm -r %s", f->path);
	free(f);
	loop_fini();
	return 0;
}

/* Opens, adds a key that was not there, and ends as if it were killed. */
static void
die_after_adding(const char *path, unsigned n)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		struct store *s = open_store(path, "boot");

		wait_filled(s);
		change(s, n, n + 1, true);
		_exit(store_sync_now(s) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Opens and looks whether the filter was there at once; what the table has
 * must be found in any case. */
static bool
is_believed(struct fixture *f, const char *boot, unsigned keys)
{
	bool at_once;

	f->store = open_store(f->path, boot);
	at_once = store_is_filtered(f->store);
	assert_int_equal(count(f->store, 0, keys), keys);
	wait_filled(f->store);
	assert_int_equal(count(f->store, 0, keys), keys);
	return at_once;
}

static void
test_filter_file_is_believed_after_a_stop(void **state)
{
	assert_true(is_believed(*state, "boot", KEYS));
}

static void
test_filter_file_is_believed_after_a_stop_and_a_boot(void **state)
{
	assert_true(is_believed(*state, "another", KEYS));
}

static void
test_filter_file_has_what_was_added_before_a_kill(void **state)
{
	struct fixture *f = *state;

	die_after_adding(f->path, KEYS);
	die_after_adding(f->path, KEYS + 1);
	assert_true(is_believed(f, "boot", KEYS + 2));
}

static void
test_filter_file_in_use_when_the_machine_went_down_is_not_believed(void **state)
{
	struct fixture *f = *state;

	die_after_adding(f->path, KEYS);
	assert_false(is_believed(f, "another", KEYS + 1));
	store_close(&f->store);
	assert_true(is_believed(f, "another", KEYS + 1));
}

static void
test_filter_file_in_use_of_an_unknown_boot_is_not_believed(void **state)
{
	struct fixture *f = *state;

	die_after_adding(f->path, KEYS);
	assert_false(is_believed(f, "", KEYS + 1));
}

static void
test_filter_file_copied_while_in_use_is_not_believed(void **state)
{
	struct fixture *f = *state;
	char file[128], copy[128];

	snprintf(file, sizeof(file), "%s/suppressions.filter", f->path);
	snprintf(copy, sizeof(copy), "%s/copy", f->path);
	die_after_adding(f->path, KEYS);
	shell("cp %s %s", file, copy);
	die_after_adding(f->path, KEYS + 1);
	shell("mv %s %s", copy, file);
	assert_false(is_believed(f, "boot", KEYS + 2));
}

static void
test_filter_file_of_another_database_is_not_believed(void **state)
{
	struct fixture *f = *state;
	char other[128];
	struct store *s;

	snprintf(other, sizeof(other), "%s/other", f->path);
	assert_int_equal(mkdir(other, 0700), 0);
	s = open_store(other, "boot");
	wait_filled(s);
	store_close(&s);
	shell("cp %s/suppressions.filter %s", other, f->path);
	assert_false(is_believed(f, "boot", KEYS));
}

static void
remake(struct fixture *f)
{
	assert_false(is_believed(f, "boot", KEYS));
	store_close(&f->store);
	assert_true(is_believed(f, "boot", KEYS));
	store_close(&f->store);
}

static void
test_filter_file_that_is_damaged_or_gone_is_made_anew(void **state)
{
	struct fixture *f = *state;
	char file[128];

	snprintf(file, sizeof(file), "%s/suppressions.filter", f->path);
	shell("rm %s", file);
	remake(f);
	shell("truncate -s 100000 %s", file);
	remake(f);
	shell("truncate -s 0 %s", file);
	remake(f);
	/* inside the head */
	shell(
	    "printf x | dd status=none conv=notrunc bs=1 seek=40 of=%s", file);
	remake(f);
}

static void
test_filter_file_of_another_size_is_made_anew(void **state)
{
	struct fixture *f = *state;

	f->store = open_sized(f->path, "boot", 2 * SIZE);
	assert_false(store_is_filtered(f->store));
	wait_filled(f->store);
	assert_int_equal(count(f->store, 0, KEYS), KEYS);
}

static void
test_filter_file_with_many_removed_keys_is_made_anew(void **state)
{
	struct fixture *f = *state;

	assert_true(is_believed(f, "boot", KEYS));
	change(f->store, KEYS / 2, KEYS, false);
	store_close(&f->store);
	assert_false(is_believed(f, "boot", KEYS / 2));
	store_close(&f->store);
	assert_true(is_believed(f, "boot", KEYS / 2));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_filter_file_is_believed_after_a_stop),
		TEST(test_filter_file_is_believed_after_a_stop_and_a_boot),
		TEST(test_filter_file_has_what_was_added_before_a_kill),
		TEST(
		    test_filter_file_in_use_when_the_machine_went_down_is_not_believed),
		TEST(
		    test_filter_file_in_use_of_an_unknown_boot_is_not_believed),
		TEST(test_filter_file_copied_while_in_use_is_not_believed),
		TEST(test_filter_file_of_another_database_is_not_believed),
		TEST(test_filter_file_that_is_damaged_or_gone_is_made_anew),
		TEST(test_filter_file_of_another_size_is_made_anew),
		TEST(test_filter_file_with_many_removed_keys_is_made_anew),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
