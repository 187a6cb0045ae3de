/* tools/compose.h: what sendmail(1) makes of a message. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compose.h"

static struct buf result;
static struct compose_list rcpts;
static struct str bad;

static int
compose(const char *message, bool wants_rcpts)
{
	compose_list_fini(&rcpts);
	buf_clear(&result, 0);
	return compose_message(str_of(message), "h.test", "\"U\" <u@h.test>",
	    wants_rcpts ? &rcpts : NULL, &result, &bad);
}

static void
assert_result(const char *expected)
{
	buf_add(&result, "", 1);
	assert_string_equal((const char *)result.p, expected);
}

static void
assert_rcpt(size_t i, const char *expected)
{
	assert_true(i < rcpts.n);
	assert_int_equal(rcpts.all[i].len, strlen(expected));
	assert_memory_equal(rcpts.all[i].p, expected, rcpts.all[i].len);
}

static int
read_text(const char *text, bool ends_at_dot, size_t limit)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int r;

	assert_non_null(in);
	buf_clear(&result, 0);
	r = compose_read(in, ends_at_dot, limit, &result);
	(void)fclose(in);
	return r;
}

static void
lines_end_in_crlf_whatever_they_ended_in(void **state)
{
	(void)state;
	assert_int_equal(read_text("A: b\n\nx\r\nlast", true, 100), 0);
	assert_result("A: b\r\n\r\nx\r\nlast\r\n");
}

static void
a_dot_ends_the_message_unless_dots_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(read_text("a\n.\nb\n", true, 100), 0);
	assert_result("a\r\n");
	assert_int_equal(read_text("a\n.\nb\n", false, 100), 0);
	assert_result("a\r\n.\r\nb\r\n");
}

static void
an_mbox_line_in_front_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text("From me Sat Nov 21\nA: b\nFrom x\n", true, 100), 0);
	assert_result("A: b\r\nFrom x\r\n");
}

static void
a_message_above_the_limit_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(read_text("0123456789\n", true, 12), 0);
	assert_int_equal(read_text("0123456789\n", true, 11), -EMSGSIZE);
}

static void
a_missing_from_field_is_added(void **state)
{
	(void)state;
	assert_int_equal(compose("Subject: s\r\n\r\nbody\r\n", false), 0);
	assert_result("Subject: s\r\nFrom: \"U\" <u@h.test>\r\n\r\nbody\r\n");
}

static void
a_text_without_a_header_becomes_the_body(void **state)
{
	(void)state;
	assert_int_equal(compose("just words here\r\n", false), 0);
	assert_result("From: \"U\" <u@h.test>\r\n\r\njust words here\r\n");
}

static void
a_header_without_an_empty_line_gets_one(void **state)
{
	(void)state;
	assert_int_equal(compose("From: a@b.test\r\nno field\r\n", false), 0);
	assert_result("From: a@b.test\r\n\r\nno field\r\n");
}

static void
bare_names_get_the_host(void **state)
{
	(void)state;
	assert_int_equal(
	    compose("From: root (Cron Daemon)\r\nTo: root, ops\r\n\r\n", true),
	    0);
	assert_result("From: root@h.test (Cron Daemon)\r\n"
		      "To: root@h.test,\r\n\tops@h.test\r\n\r\n");
	assert_int_equal(rcpts.n, 2);
	assert_rcpt(0, "root@h.test");
	assert_rcpt(1, "ops@h.test");
}

static void
whole_addresses_stay_as_they_are(void **state)
{
	static const char text[] = "From: \"A, B\" <a@b.test>\r\n"
				   "To: Who Ever <c@d.test>, e@f.test\r\n\r\n";

	(void)state;
	assert_int_equal(compose(text, true), 0);
	assert_result(text);
	assert_int_equal(rcpts.n, 2);
	assert_rcpt(0, "c@d.test");
	assert_rcpt(1, "e@f.test");
}

static void
bcc_is_read_and_removed(void **state)
{
	(void)state;
	assert_int_equal(
	    compose(
		"From: a@b.test\r\nBcc: c@d.test,\r\n e@f.test\r\n\r\n", true),
	    0);
	assert_result("From: a@b.test\r\n\r\n");
	assert_int_equal(rcpts.n, 2);
	assert_rcpt(1, "e@f.test");
}

static void
resent_fields_alone_count_where_there_are_any(void **state)
{
	(void)state;
	assert_int_equal(compose("From: a@b.test\r\nTo: c@d.test\r\n"
				 "Resent-To: e@f.test\r\n\r\n",
			     true),
	    0);
	assert_int_equal(rcpts.n, 1);
	assert_rcpt(0, "e@f.test");
}

static void
an_unreadable_field_is_named(void **state)
{
	(void)state;
	assert_int_equal(
	    compose("From: a@b.test\r\nCc: <c@d.test\r\n\r\n", true), -EBADMSG);
	assert_int_equal(bad.len, 2);
	assert_memory_equal(bad.p, "Cc", 2);
}

static int
free_all(void **state)
{
	(void)state;
	compose_list_fini(&rcpts);
	buf_fini(&result);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_crlf_whatever_they_ended_in),
		cmocka_unit_test(
		    a_dot_ends_the_message_unless_dots_are_ignored),
		cmocka_unit_test(an_mbox_line_in_front_is_left_out),
		cmocka_unit_test(a_message_above_the_limit_is_an_error),
		cmocka_unit_test(a_missing_from_field_is_added),
		cmocka_unit_test(a_text_without_a_header_becomes_the_body),
		cmocka_unit_test(a_header_without_an_empty_line_gets_one),
		cmocka_unit_test(bare_names_get_the_host),
		cmocka_unit_test(whole_addresses_stay_as_they_are),
		cmocka_unit_test(bcc_is_read_and_removed),
		cmocka_unit_test(resent_fields_alone_count_where_there_are_any),
		cmocka_unit_test(an_unreadable_field_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, free_all);
}
