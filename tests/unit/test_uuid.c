#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "uuid.h"

static const uint64_t now_us = 1767225600123456ULL;

static void
test_uuid_tells_the_place_it_was_made_of(void **state)
{
	static const struct uuid_place places[] = {
		{ 0, 0 },
		{ 0xffULL << 56 | 0xffffffULL << 32 | 0x3fffff, 0xfffff },
		{ 1ULL << 56 | 0x123456ULL << 32 | 0x2789a, 0x54321 },
	};

	(void)state;
	for (size_t i = 0; i < array_len(places); i++) {
		struct uuid u = uuid_make(now_us, places[i]);
		struct uuid_place back = uuid_place(&u);

		assert_int_equal(back.segid, places[i].segid);
		assert_int_equal(back.index, places[i].index);
		assert_int_equal(uuid_wall_ms(&u), now_us / 1000);
	}
}

static void
test_uuid_has_the_version_and_variant_of_rfc_9562(void **state)
{
	struct uuid u = uuid_make(now_us,
	    (struct uuid_place){
		0xffULL << 56 | 0xffffffULL << 32 | 0x3fffff, 0xfffff });
	char text[UUID_TEXT_SIZE];

	(void)state;
	uuid_print(&u, text);
	assert_int_equal(text[14], '7');
	assert_non_null(strchr("89ab", text[19]));
}

static void
test_uuid_text_is_read_back_in_any_case(void **state)
{
	struct uuid u = uuid_make(now_us, (struct uuid_place){ 77, 5 }), v;
	char text[UUID_TEXT_SIZE];

	(void)state;
	uuid_print(&u, text);
	for (char *p = text; *p != '\0'; p++) {
		if (*p >= 'a' && *p <= 'f') {
			*p = (char)(*p - 'a' + 'A');
		}
	}
	assert_int_equal(uuid_parse(str_of(text), &v), 0);
	assert_true(uuid_eq(&u, &v));
}

static void
test_uuid_text_of_another_form_is_refused(void **state)
{
	static const char *const bad[] = { "", "x",
		"018f0000-0000-7000-8000-00000000000",
		"018f0000-0000-7000-8000-0000000000000",
		"018f0000_0000-7000-8000-000000000000",
		"g18f0000-0000-7000-8000-000000000000" };
	struct uuid u;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(uuid_parse(str_of(bad[i]), &u), -EINVAL);
	}
}

static void
test_segment_names_are_read_back(void **state)
{
	uint64_t id = segment_id(3, 0xabcdef, 0x1234), back = 0;
	char name[SEGMENT_NAME_SIZE];

	(void)state;
	segment_name(id, name);
	assert_string_equal(name, "abcdef-00001234.seg");
	assert_int_equal(segment_name_parse(3, str_of(name), &back), 0);
	assert_int_equal(back, id);
	assert_int_equal(
	    segment_name_parse(3, STR("abcdef-1234.seg"), &back), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid_tells_the_place_it_was_made_of),
		cmocka_unit_test(
		    test_uuid_has_the_version_and_variant_of_rfc_9562),
		cmocka_unit_test(test_uuid_text_is_read_back_in_any_case),
		cmocka_unit_test(test_uuid_text_of_another_form_is_refused),
		cmocka_unit_test(test_segment_names_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
