#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core_slab.h"

#define N 20000u

struct thing {
	uint32_t chain;
	uint32_t key;
	struct link link;
};

static uint64_t
thing_hash(const void *elem, uint64_t seed)
{
	return mix64(((const struct thing *)elem)->key ^ seed);
}

static struct thing *
thing(const struct slab *s, uint32_t i)
{
	return slab_at(s, i);
}

static uint32_t
find(const struct htab *h, uint32_t key)
{
	uint32_t i = htab_first(h, mix64(key ^ h->seed));

	while (i != NIL && thing(h->slab, i)->key != key) {
		i = htab_next(h, i);
	}
	return i;
}

static void
test_slab_gives_zeroed_places_again_up_to_its_limit(void **state)
{
	struct slab s;
	uint32_t i[3];

	(void)state;
	assert_int_equal(slab_init(&s, sizeof(struct thing), 3), 0);
	for (unsigned k = 0; k < 3; k++) {
		i[k] = slab_alloc(&s);
		assert_int_not_equal(i[k], NIL);
		*thing(&s, i[k]) = (struct thing){ 1, 2, { 3, 4 } };
	}
	assert_int_equal(slab_alloc(&s), NIL);
	slab_free(&s, i[1]);
	slab_free(&s, i[0]);
	assert_int_equal(s.live, 1);
	for (unsigned k = 0; k < 2; k++) {
		uint32_t again = slab_alloc(&s);

		assert_int_not_equal(again, i[2]);
		assert_int_equal(thing(&s, again)->chain, 0);
		assert_int_equal(thing(&s, again)->link.prev, 0);
	}
	assert_int_equal(slab_alloc(&s), NIL);
	slab_fini(&s);
}

static void
test_slab_lists_keep_their_order(void **state)
{
	static const uint32_t order[] = { 5, 1, 2, 4 };
	struct slab s;
	const struct kin k = { &s, offsetof(struct thing, link) };
	uint32_t head = NIL;

	(void)state;
	assert_int_equal(slab_init(&s, sizeof(struct thing), 8), 0);
	for (uint32_t n = 1; n <= 4; n++) {
		assert_int_equal(slab_alloc(&s), n);
		list_push(&head, k, n);
	}
	assert_int_equal(slab_alloc(&s), 5);
	list_push_front(&head, k, 5);
	list_remove(&head, k, 3);
	for (unsigned n = 0; n < array_len(order); n++) {
		assert_int_equal(list_pop(&head, k), order[n]);
	}
	assert_int_equal(head, NIL);
	assert_int_equal(list_pop(&head, k), NIL);
	slab_fini(&s);
}

static void
test_slab_tables_find_what_is_in_them_while_they_grow_and_shrink(void **state)
{
	struct slab s;
	struct htab h;

	(void)state;
	assert_int_equal(slab_init(&s, sizeof(struct thing), N), 0);
	assert_int_equal(
	    htab_init(&h, &s, offsetof(struct thing, chain), thing_hash, 42),
	    0);
	for (uint32_t k = 0; k < N; k++) {
		uint32_t i = slab_alloc(&s);

		thing(&s, i)->key = k;
		htab_add(&h, i);
		assert_int_equal(find(&h, k), i);
		assert_int_equal(find(&h, k / 2), find(&h, k / 2));
		assert_int_not_equal(find(&h, k / 2), NIL);
	}
	for (uint32_t k = 0; k < N; k += 2) {
		uint32_t i = find(&h, k);

		htab_del(&h, i);
		slab_free(&s, i);
	}
	for (uint32_t k = 0; k < N; k++) {
		assert_int_equal(find(&h, k) == NIL, k % 2 == 0);
	}
	htab_fini(&h);
	slab_fini(&s);
}

static void
test_slab_tables_stay_even_as_they_grow(void **state)
{
	struct slab s;
	struct htab h;
	unsigned longest = 0;

	(void)state;
	assert_int_equal(slab_init(&s, sizeof(struct thing), N), 0);
	assert_int_equal(
	    htab_init(&h, &s, offsetof(struct thing, chain), thing_hash, 7), 0);
	for (uint32_t k = 0; k < N; k++) {
		uint32_t i = slab_alloc(&s);

		thing(&s, i)->key = k;
		htab_add(&h, i);
	}
	for (uint32_t k = 0; k < N; k++) {
		unsigned n = 0;

		for (uint32_t i = htab_first(&h, mix64(k ^ h.seed)); i != NIL;
		     i = htab_next(&h, i)) {
			n++;
		}
		longest = n > longest ? n : longest;
	}
	assert_in_range(longest, 1, 12);
	htab_fini(&h);
	slab_fini(&s);
}

static void
test_slab_hash_depends_on_every_byte_and_the_seed(void **state)
{
	(void)state;
	assert_true(hash_bytes("example.org", 11, 1) ==
	    hash_bytes("example.org", 11, 1));
	assert_true(hash_bytes("example.org", 11, 1) !=
	    hash_bytes("example.org", 11, 2));
	assert_true(hash_bytes("example.org", 11, 1) !=
	    hash_bytes("example.orh", 11, 1));
	assert_true(hash_bytes("example.org", 11, 1) !=
	    hash_bytes("example.org", 10, 1));
	assert_true(hash_bytes("\0", 1, 1) != hash_bytes("", 0, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_slab_gives_zeroed_places_again_up_to_its_limit),
		cmocka_unit_test(test_slab_lists_keep_their_order),
		cmocka_unit_test(
		    test_slab_tables_find_what_is_in_them_while_they_grow_and_shrink),
		cmocka_unit_test(test_slab_tables_stay_even_as_they_grow),
		cmocka_unit_test(
		    test_slab_hash_depends_on_every_byte_and_the_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
