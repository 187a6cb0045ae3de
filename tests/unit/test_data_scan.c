#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "data_scan.h"

#define T(lit) lit, sizeof(lit) - 1

struct result {
	struct data_scan scan;
	char *message;
	size_t message_len;
	size_t used;
	bool at_end;
};

/* Feed text in chunks and put the message together as the API says. */
static struct result
scan(enum data_scan_mode mode, const char *text, size_t len, size_t chunk)
{
	struct result r = { .message = malloc(len + 1) };

	data_scan_init(&r.scan, mode);
	while (r.used < len && !r.at_end) {
		size_t n = len - r.used < chunk ? len - r.used : chunk;
		struct data_scan_step step =
		    data_scan_feed(&r.scan, text + r.used, n);

		memcpy(r.message + r.message_len, ".\r", step.carry);
		r.message_len += step.carry;
		memcpy(r.message + r.message_len, text + r.used, step.take);
		r.message_len += step.take;
		r.used += step.used;
		r.at_end = step.at_end;
	}
	assert_int_equal(r.message_len, r.scan.message_len);
	assert_memory_equal(r.message, text, r.message_len);
	return r;
}

static void
assert_same_facts(const struct data_scan *a, const struct data_scan *b)
{
	assert_int_equal(a->message_len, b->message_len);
	assert_int_equal(a->has_body, b->has_body);
	assert_int_equal(a->header_len, b->header_len);
	assert_int_equal(a->body_off, b->body_off);
	assert_int_equal(a->longest_line, b->longest_line);
	assert_int_equal(a->dot_lines, b->dot_lines);
	assert_int_equal(a->has_bare_cr, b->has_bare_cr);
	assert_int_equal(a->has_bare_lf, b->has_bare_lf);
	assert_int_equal(a->has_nul, b->has_nul);
	assert_int_equal(a->header_is_8bit, b->header_is_8bit);
	assert_int_equal(a->body_is_8bit, b->body_is_8bit);
}

static void
test_data_scan_finds_the_dot_and_leaves_the_rest(void **state)
{
	const char text[] = "A: b\r\n\r\nhello\r\n.\r\nQUIT\r\n";

	(void)state;
	for (size_t chunk = 1; chunk < sizeof(text); chunk++) {
		struct result r =
		    scan(DATA_SCAN_DOT, text, sizeof(text) - 1, chunk);

		assert_true(r.at_end);
		assert_int_equal(r.message_len, 15);
		assert_int_equal(r.used, 18);
		assert_true(r.scan.has_body);
		assert_int_equal(r.scan.header_len, 6);
		assert_int_equal(r.scan.body_off, 8);
		assert_int_equal(r.scan.longest_line, 5);
		assert_int_equal(r.scan.dot_lines, 0);
		assert_false(r.scan.has_bare_cr || r.scan.has_bare_lf);
		free(r.message);
	}
}

static void
test_data_scan_accepts_an_empty_message(void **state)
{
	struct result r = scan(DATA_SCAN_DOT, T(".\r\nRSET\r\n"), 1);

	(void)state;
	assert_true(r.at_end);
	assert_int_equal(r.message_len, 0);
	assert_int_equal(r.used, 3);
	assert_false(r.scan.has_body);
	free(r.message);
}

/* The list of false ends that some server took for one. */
static const struct {
	const char *text;
	size_t len;
} false_ends[] = {
	{ T("\n.\n") },
	{ T("\r.\r") },
	{ T("\r.\n") },
	{ T("\n.\r") },
	{ T("\n.\r\n") },
	{ T("\r\n.\n") },
	{ T("\r.\r\n") },
	{ T("\r\n.\r") },
	{ T("\r\n\0.\r\n") },
	{ T("\r\n.\0\r\n") },
	{ T("\r\n.\r\r\n") },
	{ T("\r\r\n.\r\r\n") },
};

static void
test_data_scan_takes_no_smuggled_end_at_any_offset(void **state)
{
	char text[300];

	(void)state;
	for (size_t i = 0; i < array_len(false_ends); i++) {
		for (size_t pad = 1; pad < 140; pad++) {
			size_t len = pad;
			struct result r;

			memset(text, 'x', pad);
			memcpy(
			    text + len, false_ends[i].text, false_ends[i].len);
			len += false_ends[i].len;
			memcpy(text + len, T("MAIL\r\n.\r\n"));
			len += 9;
			r = scan(DATA_SCAN_DOT, text, len, len);
			assert_true(r.at_end);
			assert_int_equal(r.used, len);
			assert_int_equal(r.message_len, len - 3);
			assert_true(r.scan.has_bare_cr || r.scan.has_bare_lf ||
			    r.scan.has_nul);
			free(r.message);
		}
	}
}

static void
test_data_scan_reports_each_bare_byte_by_its_kind(void **state)
{
	struct result cr = scan(DATA_SCAN_DOT, T("a\rb\r\n.\r\n"), 3);
	struct result lf = scan(DATA_SCAN_DOT, T("a\nb\r\n.\r\n"), 3);
	struct result nul = scan(DATA_SCAN_DOT, T("a\0b\r\n.\r\n"), 3);

	(void)state;
	assert_true(cr.scan.has_bare_cr && !cr.scan.has_bare_lf);
	assert_true(lf.scan.has_bare_lf && !lf.scan.has_bare_cr);
	assert_true(nul.scan.has_nul && !nul.scan.has_bare_cr);
	assert_false(cr.scan.has_nul || lf.scan.has_nul);
	free(cr.message);
	free(lf.message);
	free(nul.message);
}

static void
test_data_scan_ignores_what_follows_the_end(void **state)
{
	struct result r =
	    scan(DATA_SCAN_DOT, T("a\r\n.\r\n\0\n\r\xff.\r\n"), 99);

	(void)state;
	assert_true(r.at_end);
	assert_false(r.scan.has_nul || r.scan.has_bare_lf);
	assert_false(r.scan.has_bare_cr || r.scan.header_is_8bit);
	free(r.message);
}

static void
test_data_scan_separates_8bit_header_from_8bit_body(void **state)
{
	struct result h =
	    scan(DATA_SCAN_DOT, T("A: \xe4\r\n\r\nb\r\n.\r\n"), 99);
	struct result b =
	    scan(DATA_SCAN_DOT, T("A: a\r\n\r\n\xe4\r\n.\r\n"), 99);

	(void)state;
	assert_true(h.scan.header_is_8bit && !h.scan.body_is_8bit);
	assert_true(b.scan.body_is_8bit && !b.scan.header_is_8bit);
	free(h.message);
	free(b.message);
}

static void
test_data_scan_does_not_count_the_stuffing_dot(void **state)
{
	struct result r = scan(DATA_SCAN_DOT, T("..abc\r\n.\r\n"), 2);

	(void)state;
	assert_int_equal(r.scan.dot_lines, 1);
	assert_int_equal(r.scan.longest_line, 4);
	free(r.message);
}

static void
test_data_scan_bdat_has_no_end_and_tells_an_open_line(void **state)
{
	struct result r = scan(DATA_SCAN_BDAT, T("A: b\r\n\r\n.\r\n.x\r"), 1);

	(void)state;
	assert_false(r.at_end);
	assert_int_equal(r.message_len, 14);
	assert_int_equal(r.scan.dot_lines, 2);
	assert_false(r.scan.has_bare_cr);
	data_scan_finish(&r.scan);
	assert_true(r.scan.has_bare_cr);
	assert_true(r.scan.is_unterminated);
	free(r.message);
}

/* A slow scanner that is obviously right. */
static struct data_scan
scan_naive(const char *p, size_t len, bool *at_end)
{
	struct data_scan s = { 0 };
	size_t start = 0;

	*at_end = false;
	for (size_t i = 0; i < len; i++) {
		bool crlf = i > 0 && p[i] == '\n' && p[i - 1] == '\r';
		size_t n = i - start; /* with CR if crlf */

		if (crlf && n == 2 && p[start] == '.') {
			*at_end = true;
			s.message_len = start;
			break;
		}
		s.dot_lines += i == start && p[i] == '.';
		s.has_nul |= p[i] == '\0';
		s.has_bare_lf |= p[i] == '\n' && !crlf;
		s.has_bare_cr |= i > 0 && p[i - 1] == '\r' && !crlf;
		s.header_is_8bit |= (p[i] & 0x80) != 0 && !s.has_body;
		s.body_is_8bit |= (p[i] & 0x80) != 0 && s.has_body;
		n = crlf ? n - 1 : p[i] == '\r' ? n : n + 1;
		n -= p[start] == '.' && n > 0;
		s.longest_line = n > s.longest_line ? n : s.longest_line;
		if (crlf && i - start == 1 && !s.has_body) {
			s.has_body = true;
			s.header_len = start;
			s.body_off = i + 1;
		}
		start = crlf ? i + 1 : start;
	}
	if (!*at_end) {
		/* A dot line that has begun is held back. */
		size_t n = len - start;

		s.message_len = n <= 2 && n > 0 && p[start] == '.' &&
			(n == 1 || p[start + 1] == '\r')
		    ? start
		    : len;
	} else {
		s.dot_lines -= 1;
	}
	return s;
}

static void
test_data_scan_agrees_with_a_naive_one_on_random_text(void **state)
{
	static const char alphabet[] = "\r\n\r\n\r\n..ab\0\xc3";
	char text[400];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 60000; round++) {
		size_t len = 0;
		struct data_scan want;
		struct result r;
		bool at_end;

		seed = seed * 1664525 + 1013904223;
		size_t total = (seed >> 8) % sizeof(text);
		while (len < total) {
			seed = seed * 1664525 + 1013904223;
			if ((seed >> 28) == 0 && total - len > 1) {
				memcpy(text + len, "\r\n", 2);
				len += 2;
			} else if ((seed >> 29) > 1) {
				text[len++] = 'x';
			} else {
				text[len++] = alphabet[(seed >> 12) % 12];
			}
		}
		want = scan_naive(text, len, &at_end);
		r = scan(DATA_SCAN_DOT, text, len, 1 + (seed >> 16) % 150);
		assert_int_equal(r.at_end, at_end);
		assert_same_facts(&want, &r.scan);
		free(r.message);
	}
}

static void
test_data_stuff_doubles_and_unstuff_restores_at_every_cut(void **state)
{
	const char text[] = ".\r\n..\r\n.a\r\n\r\n.\r.\n.\r\n...";
	const char want[] = "..\r\n...\r\n..a\r\n\r\n..\r.\n.\r\n....";
	size_t len = sizeof(text) - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct data_stuff st = { 0 };
		struct data_stuff un = { 0 };
		char out[64];
		size_t n = data_stuff(&st, text, cut, out);

		n += data_stuff(&st, text + cut, len - cut, out + n);
		assert_int_equal(n, sizeof(want) - 1);
		assert_memory_equal(out, want, n);
		assert_true(n <= data_stuff_bound(len));
		n = data_unstuff(&un, out, n, out);
		assert_int_equal(n, len);
		assert_memory_equal(out, text, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_data_scan_finds_the_dot_and_leaves_the_rest),
		cmocka_unit_test(test_data_scan_accepts_an_empty_message),
		cmocka_unit_test(
		    test_data_scan_takes_no_smuggled_end_at_any_offset),
		cmocka_unit_test(
		    test_data_scan_reports_each_bare_byte_by_its_kind),
		cmocka_unit_test(test_data_scan_ignores_what_follows_the_end),
		cmocka_unit_test(
		    test_data_scan_separates_8bit_header_from_8bit_body),
		cmocka_unit_test(
		    test_data_scan_does_not_count_the_stuffing_dot),
		cmocka_unit_test(
		    test_data_scan_bdat_has_no_end_and_tells_an_open_line),
		cmocka_unit_test(
		    test_data_scan_agrees_with_a_naive_one_on_random_text),
		cmocka_unit_test(
		    test_data_stuff_doubles_and_unstuff_restores_at_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
