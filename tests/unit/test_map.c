#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "map.h"

#define N 1000

static int values[N];

static void
test_map_finds_what_was_put_and_only_that(void **state)
{
	struct map *m = map_new();

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "key %u", i);
		assert_null(map_put(m, str_of(key), &values[i]));
	}
	assert_int_equal(map_len(m), N);
	for (unsigned i = 0; i < N; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "key %u", i);
		assert_ptr_equal(map_get(m, str_of(key)), &values[i]);
	}
	assert_null(map_get(m, STR("key")));
	map_free(&m, NULL);
}

static void
test_map_returns_the_value_that_is_replaced(void **state)
{
	struct map *m = map_new();

	(void)state;
	assert_null(map_put_u64(m, 7, &values[1]));
	assert_ptr_equal(map_put_u64(m, 7, &values[2]), &values[1]);
	assert_ptr_equal(map_del_u64(m, 7), &values[2]);
	assert_null(map_del_u64(m, 7));
	map_free(&m, NULL);
}

static void
test_map_keeps_the_others_when_some_are_deleted(void **state)
{
	struct map *m = map_new();

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		(void)map_put_u64(m, i, &values[i]);
	}
	for (unsigned i = 0; i < N; i += 3) {
		assert_ptr_equal(map_del_u64(m, i), &values[i]);
	}
	for (unsigned i = 0; i < N; i++) {
		assert_ptr_equal(
		    map_get_u64(m, i), i % 3 == 0 ? NULL : &values[i]);
	}
	map_free(&m, NULL);
}

static void
test_map_walk_sees_each_entry_once_though_they_are_deleted(void **state)
{
	struct map *m = map_new();
	unsigned seen[N] = { 0 };
	struct str key;
	size_t at = 0;
	void *value;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		(void)map_put_u64(m, i, &values[i]);
	}
	while (map_next(m, &at, &key, &value)) {
		uint64_t k;

		memcpy(&k, key.p, sizeof(k));
		seen[k]++;
		if (k % 2 == 0) {
			(void)map_del_u64(m, k);
		}
	}
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(seen[i], 1);
	}
	assert_int_equal(map_len(m), N / 2);
	map_free(&m, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_finds_what_was_put_and_only_that),
		cmocka_unit_test(test_map_returns_the_value_that_is_replaced),
		cmocka_unit_test(
		    test_map_keeps_the_others_when_some_are_deleted),
		cmocka_unit_test(
		    test_map_walk_sees_each_entry_once_though_they_are_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
