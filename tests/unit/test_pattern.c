#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "pattern.h"

static void
refused(const char *pattern, const char *part)
{
	struct buf why = { 0 };
	regex_t re;

	assert_true(pattern_compile(&re, pattern, 0, &why) < 0);
	buf_u8(&why, '\0');
	assert_non_null(strstr((const char *)why.p, part));
	buf_fini(&why);
}

static bool
fits(const char *pattern, const char *text)
{
	struct buf why = { 0 };
	bool does_fit;
	regex_t re;

	assert_int_equal(pattern_compile(&re, pattern, 0, &why), 0);
	assert_int_equal(why.len, 0);
	does_fit = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return does_fit;
}

static void
test_pattern_what_grows_when_written_out_is_refused(void **state)
{
	static const char *const patterns[] = {
		"(a{1,250}){1,250}",
		"a{32767}",
		"a{250}{250}",
		"a{99999999999999999999}",
		"(a{40}){40}",
		"(ba{,40}){,40}",
		"(a{40,}){40,}",
		"((ab|c){10}d){100}",
		"(a|b|c){200}{200}",
		"[[:alpha:]]{1001}",
		"[]]{1001}",
		"[^]]{1001}",
		"[a]{1001}",
		"\\.{1001}",
		"(((((((((((a+)+)+)+)+)+)+)+)+)+)+)+",
		"((^|$)a*b){20}",
		"((\\<|a)x){20}",
	};

	(void)state;
	for (size_t i = 0; i < array_len(patterns); i++) {
		refused(patterns[i], "multiply to more than 1000 ");
	}
}

static void
test_pattern_repeated_nothing_is_refused(void **state)
{
	static const char *const patterns[] = { "(a*)*", "a**", "a??", "(^)*",
		"(a|)+", "(a?b?){2}", "(|a)?", "()+", "(\\<|a)*", "*a",
		"((a?)(b*|c))?" };

	(void)state;
	for (size_t i = 0; i < array_len(patterns); i++) {
		refused(patterns[i], "repeats what may be nothing");
	}
}

static void
test_pattern_what_rules_need_is_taken(void **state)
{
	(void)state;
	assert_true(fits("4[0-9]{2} .{0,200}(greylist|try (again )?later)",
	    "450 4.2.0 You are Greylisted"));
	assert_true(fits("^(\\[[^]]+\\] )+x{2,}$", "[a] [b] xxx"));
	assert_true(fits("a{990}|b", "b"));
	assert_true(fits("[{(]250}", "(250}"));
	assert_true(fits("(^|[^0-9])5(0|1)?5( *, *x?y)*$", "a 505,y , xy"));
	assert_true(fits("(^4|a*b|(c)|d+)*e", "e"));
	assert_true(fits("\\(a\\){2}", "(a))"));
	assert_true(fits("[[:digit:]]{3}[[.a.]]", "123a"));
	assert_true(fits("[\\1]", "\\"));
	assert_false(fits("^x{3}$", "xx"));
}

static void
test_pattern_the_costliest_takes_little_memory(void **state)
{
	struct buf why = { 0 };
	struct mallinfo2 before = mallinfo2();
	struct mallinfo2 after;
	regex_t re;

	(void)state;
	assert_int_equal(
	    pattern_compile(&re, ".{0,320}.{0,320}.{0,320}x", 0, &why), 0);
	after = mallinfo2();
	assert_true(after.uordblks + after.hblkhd <
	    before.uordblks + before.hblkhd + (16u << 20));
	regfree(&re);
	refused(".{0,400}.{0,400}.{0,400}x", "multiply to more than 1000 ");
}

static void
test_pattern_mistakes_are_told(void **state)
{
	char deep[129];

	(void)state;
	refused("(a)\\1", "back-references");
	refused("(a", "nmatched");
	refused("(((a{1,250}){1,250}", "multiply to more than 1000 ");
	refused("[a", "nmatched");
	refused("a{2,1}", "nvalid");
	refused("a\\", "railing");
	memset(deep, '(', 64);
	memset(deep + 64, ')', 64);
	deep[128] = '\0';
	refused(deep, "more than 50 groups in groups");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_pattern_what_grows_when_written_out_is_refused),
		cmocka_unit_test(test_pattern_repeated_nothing_is_refused),
		cmocka_unit_test(test_pattern_what_rules_need_is_taken),
		cmocka_unit_test(
		    test_pattern_the_costliest_takes_little_memory),
		cmocka_unit_test(test_pattern_mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
