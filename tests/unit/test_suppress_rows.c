#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "csv.h"
#include "suppress_row.h"

/* ---- csv ------------------------------------------------------------------
 */

/* Rows as "a|b;"; a bad one as "!;". */
static int
join(void *arg, const struct str *fields, size_t n)
{
	struct buf *out = arg;

	if (n == 0) {
		buf_puts(out, "!");
	}
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, i > 0 ? "|" : "");
		buf_add(out, fields[i].p, fields[i].len);
	}
	buf_puts(out, ";");
	return 0;
}

/* Fed in pieces of that many bytes. */
static void
check_csv(const char *text, size_t piece, const char *rows)
{
	struct csv c = { 0 };
	struct buf out = { 0 };
	struct str rest = str_of(text);

	while (rest.len > 0) {
		struct str part = { rest.p,
			rest.len < piece ? rest.len : piece };

		assert_int_equal(csv_feed(&c, part, join, &out), 0);
		rest.p += part.len;
		rest.len -= part.len;
	}
	assert_int_equal(csv_end(&c, join, &out), 0);
	buf_u8(&out, 0);
	assert_string_equal((char *)out.p, rows);
	buf_fini(&out);
	csv_fini(&c);
}

static void
test_csv_rows_are_the_same_in_whatever_pieces_they_come(void **state)
{
	static const struct {
		const char *text, *rows;
	} cases[] = {
		{ "", "" },
		{ "a", "a;" },
		{ "a\n", "a;" },
		{ "a,b\r\nc,d\r\n", "a|b;c|d;" },
		{ "\n\r\na\n\n", "a;" },
		{ ",\n", "|;" },
		{ "\"a,b\",\"c\"\"d\",\"e\nf\"\n", "a,b|c\"d|e\nf;" },
		{ "\"\"\n", ";" },
		{ "a\"b,c\n", "a\"b|c;" },
		{ "\"a\"b\nc\n", "!;c;" },
		{ "\"a\n", "!;" },
		{ "a\rb\nc\n", "!;c;" },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		for (size_t piece = 1; piece < 8; piece++) {
			check_csv(cases[i].text, piece, cases[i].rows);
		}
	}
}

static void
test_csv_rows_beyond_the_limits_are_bad_and_the_next_is_not(void **state)
{
	struct csv c = { 0 };
	struct buf out = { 0 };
	struct buf text = { 0 };

	(void)state;
	for (unsigned i = 0; i < CSV_ROW_MAX + 1; i++) {
		buf_u8(&text, 'x');
	}
	buf_puts(&text, "\na\n");
	for (unsigned i = 0; i < CSV_FIELDS_MAX; i++) {
		buf_u8(&text, ',');
	}
	buf_puts(&text, "\nb\n");
	assert_int_equal(csv_feed(&c, buf_str(&text), join, &out), 0);
	assert_true(str_is(buf_str(&out), "!;a;!;b;"));
	assert_int_equal(c.rows, 4);
	buf_fini(&text);
	buf_fini(&out);
	csv_fini(&c);
}

static void
test_csv_what_is_put_is_read_back(void **state)
{
	static const char *const fields[] = { "", "a", "a,b", "\"", "a\"\"b",
		"line\r\nend", " blank " };
	struct csv c = { 0 };
	struct buf text = { 0 };
	struct buf out = { 0 };
	struct buf expected = { 0 };

	(void)state;
	buf_puts(&text, "first");
	buf_puts(&expected, "first");
	for (size_t i = 0; i < array_len(fields); i++) {
		buf_u8(&text, ',');
		csv_put(&text, str_of(fields[i]));
		buf_printf(&expected, "|%s", fields[i]);
	}
	buf_puts(&expected, ";");
	assert_int_equal(csv_feed(&c, buf_str(&text), join, &out), 0);
	assert_int_equal(csv_end(&c, join, &out), 0);
	assert_true(str_eq(buf_str(&out), buf_str(&expected)));
	buf_fini(&text);
	buf_fini(&out);
	buf_fini(&expected);
	csv_fini(&c);
}

/* ---- times and rows -------------------------------------------------------
 */

static void
test_suppress_times_are_read_as_they_are_printed(void **state)
{
	static const uint64_t times[] = { 1, 999999, 1000000,
		1767225600000000ULL, 1767225600000001ULL, 1767225600100000ULL };
	char text[SUPPRESS_TIME_SIZE];
	uint64_t us;

	(void)state;
	for (size_t i = 0; i < array_len(times); i++) {
		suppress_time_print(times[i], text);
		assert_int_equal(suppress_time_parse(str_of(text), &us), 0);
		assert_int_equal(us, times[i]);
	}
	suppress_time_print(0, text);
	assert_string_equal(text, "");
	assert_int_equal(
	    suppress_time_parse(STR("2026-01-01 00:00:00"), &us), 0);
	assert_int_equal(us, 1767225600000000ULL);
	assert_int_equal(suppress_time_parse(STR("2026-01-01"), &us), 0);
	assert_int_equal(us, 1767225600000000ULL);
	assert_int_equal(suppress_time_parse(STR("30d"), &us), -EINVAL);
	assert_int_equal(
	    suppress_time_parse(STR("2026-01-01T00:00:00.Zx"), &us), -EINVAL);
	assert_int_equal(suppress_time_parse(STR(""), &us), -EINVAL);
}

static void
test_suppress_rows_with_mandrills_header_are_read(void **state)
{
	const struct str head[] = { STR("email"), STR("reason"), STR("other"),
		STR("created_at") };
	const struct str row[] = { STR("bob@example.org"), STR("spam"),
		STR("x"), STR("2026-01-01 00:00:00") };
	struct suppress_header h;
	struct suppress_row r = { .e = { .reason = STR("custom"),
				      .expires_us = 5 } };

	(void)state;
	assert_true(suppress_header_parse(head, 4, &h));
	assert_null(suppress_row_parse(&h, row, 4, &r));
	assert_true(str_is(r.address, "bob@example.org"));
	assert_true(str_is(r.e.reason, "spam"));
	assert_int_equal(r.e.created_us, 1767225600000000ULL);
	assert_int_equal(r.e.expires_us, 0);
	assert_false(suppress_header_parse(row, 4, &h));
}

static void
test_suppress_rows_that_are_wrong_are_refused(void **state)
{
	static const char *const addresses[] = { "", "bob", "@example.org",
		"bob@", "a\tb@example.org" };
	struct suppress_header h;
	struct suppress_row r = { .e = { .reason = STR("custom") } };

	(void)state;
	suppress_header_none(&h);
	for (size_t i = 0; i < array_len(addresses); i++) {
		const struct str field = str_of(addresses[i]);

		assert_non_null(suppress_row_parse(&h, &field, 1, &r));
	}
	h.at[SUPPRESS_REASON] = 1;
	assert_non_null(suppress_row_parse(
	    &h, (const struct str[]){ STR("a@b"), STR("mood") }, 2, &r));
	h.at[SUPPRESS_REASON] = -1;
	h.at[SUPPRESS_CREATED] = 1;
	assert_non_null(suppress_row_parse(
	    &h, (const struct str[]){ STR("a@b"), STR("soon") }, 2, &r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_csv_rows_are_the_same_in_whatever_pieces_they_come),
		cmocka_unit_test(
		    test_csv_rows_beyond_the_limits_are_bad_and_the_next_is_not),
		cmocka_unit_test(test_csv_what_is_put_is_read_back),
		cmocka_unit_test(
		    test_suppress_times_are_read_as_they_are_printed),
		cmocka_unit_test(
		    test_suppress_rows_with_mandrills_header_are_read),
		cmocka_unit_test(test_suppress_rows_that_are_wrong_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
