/* The store's long work: filter, copy; and what it does without space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loop.h"
#include "store.h"
#include "store_filter.h"
#include "store_fixture.h"

#define KEYS 20000

static struct str
key_of(char *dst, size_t size, unsigned n)
{
	snprintf(dst, size, "user%u@example.test", n);
	return str_of(dst);
}

static void
put(struct store *s, unsigned from, unsigned to)
{
	struct store_txn *t = NULL;
	char key[64];

	assert_int_equal(store_begin(s, &t), 0);
	for (unsigned i = from; i < to; i++) {
		struct str k = key_of(key, sizeof(key), i);

		assert_int_equal(store_put(t, STORE_SUPPRESSION, k, k), 0);
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
		struct str k = key_of(key, sizeof(key), i);

		n += store_get(s, NULL, STORE_SUPPRESSION, k, &b) == 0 &&
		    str_eq(buf_str(&b), k);
		buf_fini(&b);
	}
	return n;
}

static void
test_filter_never_denies_a_key_that_it_has(void **state)
{
	struct store_filter *f = store_filter_new(KEYS * 2);
	unsigned passed = 0;
	uint64_t at;
	char key[64];

	(void)state;
	for (unsigned i = 0; i < KEYS; i++) {
		(void)store_filter_add(f, key_of(key, sizeof(key), i), &at);
	}
	assert_false(store_filter_add(f, key_of(key, sizeof(key), 0), &at));
	assert_true(store_filter_may_have(f, STR("unknown")));
	store_filter_complete(f);
	for (unsigned i = 0; i < KEYS; i++) {
		assert_true(
		    store_filter_may_have(f, key_of(key, sizeof(key), i)));
	}
	for (unsigned i = KEYS; i < 2 * KEYS; i++) {
		passed += store_filter_may_have(f, key_of(key, sizeof(key), i));
	}
	assert_true(passed < KEYS / 100); /* at 16 bits a key */
	store_filter_free(&f);
	assert_null(f);
}

static void
test_store_finds_what_was_there_before_its_filter(void **state)
{
	struct fixture *f = *state;

	put(f->store, 0, KEYS);
	store_close(&f->store);
	f->store = fixture_open(f->path, 0);
	/* While the filter is being filled, and most likely after that. */
	for (int i = 0; i < 10; i++) {
		assert_int_equal(count(f->store, 0, KEYS), KEYS);
		assert_int_equal(count(f->store, KEYS, 2 * KEYS), 0);
	}
	put(f->store, KEYS, KEYS + 10);
	assert_int_equal(count(f->store, KEYS, KEYS + 20), 10);
}

static void
test_store_without_space_takes_no_change_and_goes_on_reading(void **state)
{
	struct fixture *f = *state;
	struct store_txn *t = NULL;

	put(f->store, 0, 10);
	store_close(&f->store);
	f->store = fixture_open(f->path, 1ULL << 60);
	assert_int_equal(store_begin(f->store, &t), -ENOSPC);
	assert_null(t);
	assert_int_equal(count(f->store, 0, 10), 10);
	assert_int_equal(store_sync_now(f->store), 0);
	assert_int_equal(store_backup(f->store, f->path, NULL, NULL), -ENOSPC);
}

static void
stop_loop(void *arg, int status)
{
	*(int *)arg = status;
	loop_stop();
}

static void
test_store_copy_has_what_was_committed_before(void **state)
{
	struct fixture *f = *state;
	struct store *copy;
	char path[128];
	int status = 1;

	snprintf(path, sizeof(path), "%s/copy", f->path);
	put(f->store, 0, KEYS / 2);
	assert_int_equal(store_backup(f->store, path, stop_loop, &status), 0);
	assert_int_equal(store_backup(f->store, path, NULL, NULL), -EBUSY);
	for (unsigned i = KEYS / 2; i < KEYS; i += 100) {
		put(f->store, i, i + 100); /* checkpoints are due, and wait */
	}
	loop_run();
	assert_int_equal(status, 0);
	put(f->store, KEYS, KEYS + 1);
	copy = fixture_open(path, 0);
	assert_int_equal(count(copy, 0, KEYS / 2), KEYS / 2);
	assert_int_equal(count(copy, KEYS, KEYS + 1), 0);
	assert_int_equal(count(copy, KEYS / 2, KEYS) % 100, 0);
	store_close(&copy);
	assert_int_equal(count(f->store, 0, KEYS + 1), KEYS + 1);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_never_denies_a_key_that_it_has),
		TEST(test_store_finds_what_was_there_before_its_filter),
		TEST(
		    test_store_without_space_takes_no_change_and_goes_on_reading),
		TEST(test_store_copy_has_what_was_committed_before),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
