#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "attr.h"
#include "smtp_reply.h"

#define T(lit) lit, sizeof(lit) - 1

static const struct smtp_reply_limits limits = { 100, 5 };

struct session {
	struct smtp_reply_parser p;
	char buf[200];
	size_t used;
	int r;
};

/* Feed the text in pieces until a reply is complete or an error. */
static void
feed(struct session *s, const char *text, size_t len, size_t chunk)
{
	smtp_reply_init(&s->p, &limits, s->buf, sizeof(s->buf));
	s->used = 0;
	s->r = 0;
	while (s->r == 0 && s->used < len) {
		size_t n = len - s->used < chunk ? len - s->used : chunk;
		size_t used;

		s->r = smtp_reply_feed(&s->p, text + s->used, n, &used);
		s->used += used;
	}
}

static void
assert_text(const struct session *s, const char *want)
{
	assert_int_equal(s->r, 1);
	assert_int_equal(s->p.reply.text_len, strlen(want));
	assert_memory_equal(s->p.reply.text, want, strlen(want));
}

static void
test_smtp_reply_does_not_care_how_bytes_are_cut(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk < 40; chunk++) {
		struct session s;

		feed(&s, T("250-one\r\n250-\r\n250 2.1.0 two\r\n221 x\r\n"),
		    chunk);
		assert_text(&s, "one\n\n2.1.0 two");
		assert_int_equal(s.p.reply.code, 250);
		assert_int_equal(s.p.reply.lines, 3);
		assert_int_equal(s.used, 30);
		assert_false(smtp_reply_is_partial(&s.p));
	}
}

static void
test_smtp_reply_takes_one_reply_after_the_other(void **state)
{
	const char *text = "250 a\r\n354\r\n550 c\r\n";
	struct session s;
	size_t used;

	(void)state;
	feed(&s, text, strlen(text), 99);
	assert_text(&s, "a");
	text += s.used;
	s.r = smtp_reply_feed(&s.p, text, strlen(text), &used);
	assert_text(&s, "");
	assert_int_equal(s.p.reply.code, 354);
	assert_int_equal(s.p.reply.enhanced.class, 0);
	text += used;
	s.r = smtp_reply_feed(&s.p, text, strlen(text), &used);
	assert_text(&s, "c");
	assert_int_equal(s.p.reply.code, 550);
	assert_int_equal(used, 7);
}

static void
assert_enhanced(const char *text, bool has, int a, int b, int c)
{
	struct session s;

	feed(&s, text, strlen(text), 99);
	assert_int_equal(s.r, 1);
	assert_int_equal(s.p.reply.has_enhanced, has);
	assert_int_equal(s.p.reply.enhanced.class, a);
	assert_int_equal(s.p.reply.enhanced.subject, b);
	assert_int_equal(s.p.reply.enhanced.detail, c);
}

static void
test_smtp_reply_reads_or_derives_the_enhanced_code(void **state)
{
	(void)state;
	assert_enhanced("550 5.1.1 no\r\n", true, 5, 1, 1);
	assert_enhanced("550 5.123.456\r\n", true, 5, 123, 456);
	assert_enhanced("550-5.7.1 a\r\n550 5.7.1 b\r\n", true, 5, 7, 1);
	assert_enhanced("550-5.7.1\r\n550 b\r\n", true, 5, 7, 1);
	assert_enhanced("550 no\r\n", false, 5, 0, 0);
	assert_enhanced("550 4.1.1 other class\r\n", false, 5, 0, 0);
	assert_enhanced("250 2.0\r\n", false, 2, 0, 0);
	assert_enhanced("250 2.0.1234 x\r\n", false, 2, 0, 0);
	assert_enhanced("250 2.0.0x\r\n", false, 2, 0, 0);
	assert_enhanced("354 3.0.0 x\r\n", false, 0, 0, 0);
	assert_enhanced("299\r\n", false, 2, 0, 0);
}

static void
test_smtp_reply_keeps_unsafe_bytes_raw(void **state)
{
	struct session s;

	(void)state;
	feed(&s, T("250 \x1b[31m\xff\t\x7f\r\n"), 1);
	assert_text(&s, "\x1b[31m\xff\t\x7f");
}

static void
test_smtp_reply_refuses_what_is_no_reply(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {
		{ T("25\r\n") },
		{ T("2500 x\r\n") },
		{ T("abc\r\n") },
		{ T("099 x\r\n") },
		{ T("199 x\r\n") },
		{ T("600 x\r\n") },
		{ T("\r\n") },
		{ T("250 \0\r\n") },
		{ T("\0") },
		{ T("250 x\n") },
		{ T("250 x\ry") },
		{ T("250 x\r\r\n") },
		{ T("250\n") },
		{ T("250\tx\r\n") },
		{ T("-250 x\r\n") },
		{ T(" 250 x\r\n") },
		{ T("250-x\r\n\r\n") },
		{ T("250-x\r\ny\r\n") },
		{ T("2x0 x\r\n") },
		{ T("SSH-2.0-OpenSSH\r\n") },
		{ T("\x16\x03\x01") },
	};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct session s;
		size_t used;

		feed(&s, bad[i].text, bad[i].len, 1);
		assert_int_equal(s.r, -EBADMSG);
		assert_int_equal(
		    smtp_reply_feed(&s.p, T("250 x\r\n"), &used), -EBADMSG);
		assert_int_equal(used, 0);
	}
}

static void
test_smtp_reply_refuses_changing_codes(void **state)
{
	struct session s;

	(void)state;
	feed(&s, T("250-a\r\n550 b\r\n"), 99);
	assert_int_equal(s.r, -EPROTO);
	feed(&s, T("250-a\r\n550\r\n"), 1);
	assert_int_equal(s.r, -EPROTO);
}

static void
test_smtp_reply_stops_at_each_limit(void **state)
{
	char line[120];
	struct session s;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	memcpy(line + 98, "\r\n", 2);
	feed(&s, line, 100, 7);
	assert_int_equal(s.r, 1);
	line[98] = 'x';
	memcpy(line + 99, "\r\n", 2);
	feed(&s, line, 101, 7);
	assert_int_equal(s.r, -EMSGSIZE);

	feed(&s, T("250-\r\n250-\r\n250-\r\n250-\r\n250 \r\n"), 99);
	assert_int_equal(s.r, 1);
	feed(&s, T("250-\r\n250-\r\n250-\r\n250-\r\n250-\r\n"), 99);
	assert_int_equal(s.r, -EMSGSIZE);

	smtp_reply_init(&s.p, &limits, s.buf, 3);
	assert_int_equal(smtp_reply_feed(&s.p, T("250 abc\r\n"), &s.used), 1);
	assert_int_equal(
	    smtp_reply_feed(&s.p, T("250 abcd\r\n"), &s.used), -EMSGSIZE);
}

static void
test_smtp_reply_knows_when_one_is_half_there(void **state)
{
	struct session s;

	(void)state;
	feed(&s, T(""), 1);
	assert_false(smtp_reply_is_partial(&s.p));
	feed(&s, T("2"), 1);
	assert_true(smtp_reply_is_partial(&s.p));
	feed(&s, T("250-x\r\n"), 1);
	assert_true(smtp_reply_is_partial(&s.p));
	assert_int_equal(s.r, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_smtp_reply_does_not_care_how_bytes_are_cut),
		cmocka_unit_test(
		    test_smtp_reply_takes_one_reply_after_the_other),
		cmocka_unit_test(
		    test_smtp_reply_reads_or_derives_the_enhanced_code),
		cmocka_unit_test(test_smtp_reply_keeps_unsafe_bytes_raw),
		cmocka_unit_test(test_smtp_reply_refuses_what_is_no_reply),
		cmocka_unit_test(test_smtp_reply_refuses_changing_codes),
		cmocka_unit_test(test_smtp_reply_stops_at_each_limit),
		cmocka_unit_test(test_smtp_reply_knows_when_one_is_half_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
