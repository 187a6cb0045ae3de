/* Bombs: time and memory are bounded, and nobody is condemned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "report.h"
#include "report_group.h"

#define BIG (300 * 1024)

static void
repeat(struct buf *b, const char *piece, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, piece);
	}
}

static void
fill(struct buf *b, const char *piece)
{
	while (b->len < BIG) {
		buf_puts(b, piece);
	}
}

static void
parse(struct buf *b, struct report *r)
{
	report_parse(b->p, b->len, r);
	assert_in_range(r->n_rcpts, 0, REPORT_RCPTS_MAX);
	buf_fini(b);
}

static void
test_report_nesting_is_bounded(void **state)
{
	struct report r;
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 5000; i++) {
		buf_printf(&b,
		    "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i,
		    i);
	}
	parse(&b, &r);
	report_fini(&r);
	for (int i = 0; i < 5000; i++) {
		buf_puts(&b, "Content-Type: message/rfc822\n\n");
	}
	parse(&b, &r);
	report_fini(&r);
}

static void
test_report_parts_are_bounded(void **state)
{
	struct report r;
	struct buf b = { 0 };

	(void)state;
	buf_puts(&b, "Content-Type: multipart/report; boundary=b\n\n");
	fill(&b, "--b\nContent-Type: message/delivery-status\n\n\n");
	parse(&b, &r);
	report_fini(&r);
}

static void
test_report_recipients_are_bounded(void **state)
{
	struct report r;
	struct buf b = { 0 };

	(void)state;
	buf_puts(&b,
	    "From: MAILER-DAEMON@x.example\nContent-Type: "
	    "multipart/report; boundary=b\n\n--b\nContent-Type: "
	    "message/delivery-status\n\nReporting-MTA: dns; x\n\n");
	for (int i = 0; b.len < BIG; i++) {
		buf_printf(&b,
		    "Final-Recipient: rfc822; a%d@b.example\n"
		    "Action: failed\nStatus: 5.1.1\n\n",
		    i);
	}
	parse(&b, &r);
	assert_int_equal(r.n_rcpts, REPORT_RCPTS_MAX);
	report_fini(&r);
}

static void
test_report_many_addresses_in_words_are_bounded(void **state)
{
	struct report r;
	struct buf b = { 0 };

	(void)state;
	buf_puts(
	    &b, "From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n");
	for (int i = 0; b.len < BIG; i++) {
		buf_printf(&b, "<a%d@b.example>:\nno such user\n\n", i);
	}
	parse(&b, &r);
	assert_int_equal(r.kind, REPORT_DELIVERY);
	report_fini(&r);
}

static void
test_report_hostile_bytes_do_no_harm(void **state)
{
	static const char *const pieces[] = { "@", "<", "<style", "&", "\033$",
		"\033$B@@", "a@b.", "\"@", "\r", "\n", "\n\n", ":", ";", "=?",
		"5.1.1 ", "550 ", "\xff\xfe\x80", "<a@b.c", "((((", "--b\n",
		"{\"a\":", "[", "Final-Recipient:\n", "Original message\n",
		"Received: \n" };
	static const char *const heads[] = { "", "From: x\n\n",
		"From: MAILER-DAEMON\nSubject: failure notice\n\n",
		"Content-Type: text/html\n\n",
		"Content-Type: multipart/report; boundary=b\n\n--b\n",
		"Subject: " };

	(void)state;
	for (size_t h = 0; h < array_len(heads); h++) {
		for (size_t i = 0; i < array_len(pieces); i++) {
			struct buf b = { 0 };
			struct report r;

			buf_puts(&b, heads[h]);
			repeat(&b, pieces[i], 4000);
			parse(&b, &r);
			report_fini(&r);
		}
	}
}

static void
test_report_long_lines_are_bounded(void **state)
{
	struct report r;
	struct buf b = { 0 };

	(void)state;
	buf_puts(&b, "From: MAILER-DAEMON@x.example\nSubject: ");
	fill(&b, "undeliverable ");
	parse(&b, &r);
	report_fini(&r);
	for (int i = 0; b.len < BIG; i++) {
		buf_printf(&b, "X-Header-%d: value\n", i);
	}
	parse(&b, &r);
	report_fini(&r);
}

static void
test_report_transfer_encoding_cannot_blow_up(void **state)
{
	struct report r;
	struct buf b = { 0 };

	(void)state;
	buf_puts(&b,
	    "From: MAILER-DAEMON@x.example\nSubject: failure notice\n"
	    "Content-Transfer-Encoding: base64\n\n");
	fill(&b, "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n");
	parse(&b, &r);
	report_fini(&r);
	buf_puts(&b, "Content-Transfer-Encoding: quoted-printable\n\n");
	fill(&b, "=40=40=40=\n");
	parse(&b, &r);
	report_fini(&r);
}

static void
test_report_control_characters_do_not_reach_the_answer(void **state)
{
	static const char text[] =
	    "From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n"
	    "<a@b.example>:\n550 5.1.1 no such\x1b[31m user\x07\x7f here\n";
	struct report r;

	(void)state;
	report_parse(text, sizeof(text) - 1, &r);
	assert_int_equal(r.n_rcpts, 1);
	for (const char *p = r.rcpts[0].text; *p != '\0'; p++) {
		assert_true(*p == '\n' || (*p >= ' ' && *p != 127));
	}
	report_fini(&r);
}

static void
test_report_empty_input_is_no_report(void **state)
{
	struct report r;

	(void)state;
	report_parse("", 0, &r);
	assert_int_equal(r.kind, REPORT_OTHER);
	report_fini(&r);
	report_parse("\n", 1, &r);
	assert_int_equal(r.kind, REPORT_OTHER);
	report_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_nesting_is_bounded),
		cmocka_unit_test(test_report_parts_are_bounded),
		cmocka_unit_test(test_report_recipients_are_bounded),
		cmocka_unit_test(
		    test_report_many_addresses_in_words_are_bounded),
		cmocka_unit_test(test_report_hostile_bytes_do_no_harm),
		cmocka_unit_test(test_report_long_lines_are_bounded),
		cmocka_unit_test(test_report_transfer_encoding_cannot_blow_up),
		cmocka_unit_test(
		    test_report_control_characters_do_not_reach_the_answer),
		cmocka_unit_test(test_report_empty_input_is_no_report),
	};

	return cmocka_run_group_tests(
	    tests, report_group_begin, report_group_end);
}
