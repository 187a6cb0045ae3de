#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "attr.h"
#include "smtp_path.h"

#define L64 "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"

static int
parse(const char *s, unsigned flags, struct smtp_path *path)
{
	return smtp_path_parse(s, strlen(s), flags, path);
}

static void
assert_parsed(
    const char *s, unsigned flags, const char *local, const char *domain)
{
	struct smtp_path path;

	assert_int_equal(parse(s, flags, &path), 0);
	assert_int_equal(path.local_len, strlen(local));
	assert_memory_equal(path.local, local, path.local_len);
	assert_int_equal(path.domain_len, strlen(domain));
	assert_memory_equal(path.domain, domain, path.domain_len);
	assert_int_equal(path.is_literal, domain[0] == '[');
}

static void
assert_refused(const char *s, unsigned flags, int error)
{
	struct smtp_path path;

	assert_int_equal(parse(s, flags, &path), error);
}

static void
test_smtp_path_takes_mailboxes_of_every_form(void **state)
{
	(void)state;
	assert_parsed("<a@b>", 0, "a", "b");
	assert_parsed("<a.b+c@d-e.example>", 0, "a.b+c", "d-e.example");
	assert_parsed("<\"a b\"@d.example>", 0, "\"a b\"", "d.example");
	assert_parsed("<\"a\\\"b>\"@d>", 0, "\"a\\\"b>\"", "d");
	assert_parsed("<" L64 "@d>", 0, L64, "d");
	assert_parsed("<a%b!c@d>", 0, "a%b!c", "d");
}

static void
test_smtp_path_takes_the_null_path_only_when_asked(void **state)
{
	(void)state;
	assert_parsed("<>", SMTP_PATH_NULL, "", "");
	assert_refused("<>", 0, -EBADMSG);
}

static void
test_smtp_path_takes_bare_postmaster_only_when_asked(void **state)
{
	(void)state;
	assert_parsed("<PostMaster>", SMTP_PATH_POSTMASTER, "PostMaster", "");
	assert_refused("<postmaster>", 0, -EBADMSG);
	assert_refused("<hostmaster>", SMTP_PATH_POSTMASTER, -EBADMSG);
}

static void
test_smtp_path_skips_a_source_route(void **state)
{
	(void)state;
	assert_parsed("<@a,@b.example:c@d>", 0, "c", "d");
	assert_parsed("<@[127.0.0.1]:c@d>", 0, "c", "d");
	assert_refused("<@a,b:c@d>", 0, -EBADMSG);
	assert_refused("<@a>", 0, -EBADMSG);
	assert_refused("<@a:>", SMTP_PATH_NULL, -EBADMSG);
	assert_refused("<@:c@d>", 0, -EBADMSG);
}

static void
test_smtp_path_takes_address_literals_and_marks_them(void **state)
{
	(void)state;
	assert_parsed("<a@[127.0.0.1]>", 0, "a", "[127.0.0.1]");
	assert_parsed("<a@[IPv6:::1]>", 0, "a", "[IPv6:::1]");
	assert_parsed(
	    "<a@[ipv6:::ffff:127.0.0.1]>", 0, "a", "[ipv6:::ffff:127.0.0.1]");
	assert_refused("<a@[1.2.3]>", 0, -EBADMSG);
	assert_refused("<a@[::1]>", 0, -EBADMSG);
	assert_refused("<a@[IPv6:1.2.3.4]>", 0, -EBADMSG);
	assert_refused("<a@[tag:x]>", 0, -EBADMSG);
	assert_refused("<a@[1.2.3.4>", 0, -EBADMSG);
	assert_refused("<a@[1.2.3.4]b>", 0, -EBADMSG);
	assert_refused("<a@1.2.3.4>", 0, -EBADMSG);
}

static void
test_smtp_path_refuses_what_is_no_address(void **state)
{
	static const char *const bad[] = { "", "<", "<a", "a@b", "<a@b", "a@b>",
		"<a@b>x", "<a@b> ", " <a@b>", "< a@b>", "<a@b >", "<a b@c>",
		"<x>", "<x@>", "<@x>", "<;touch /tmp/x;@>", "<;touch /tmp/x;>",
		"<.a@b>", "<a.@b>", "<a..b@c>", "<a@.b>", "<a@b.>", "<a@b..c>",
		"<a@-b>", "<a@b->", "<a@b_c>", "<a@b@c>", "<<a@b>>", "<\"a@b>",
		"<\"a\"b@c>", "<a\"b\"@c>", "<\"a\r\n\"@d>", "<\"\\\t\"@d>",
		"<a\x01@b>", "<\"\x7f\"@b>", "<a@b\r\n>", "<a(c)@b>",
		"<a@" L64 ".example>" };

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_refused(bad[i], SMTP_PATH_UTF8, -EBADMSG);
	}
	assert_parsed("<a@b_c>", SMTP_PATH_UNDERSCORE, "a", "b_c");
}

static void
test_smtp_path_refuses_nul_inside(void **state)
{
	struct smtp_path path;

	(void)state;
	assert_int_equal(smtp_path_parse("<a\0@b>", 6, 0, &path), -EBADMSG);
	assert_int_equal(smtp_path_parse("<\"\0\"@b>", 7, 0, &path), -EBADMSG);
	assert_int_equal(
	    smtp_path_parse("<\"\\\0\"@b>", 8, 0, &path), -EBADMSG);
	assert_int_equal(smtp_path_parse("<a@b\0>", 6, 0, &path), -EBADMSG);
}

static void
test_smtp_path_refuses_what_is_too_long(void **state)
{
	char s[400];
	struct smtp_path path;

	(void)state;
	assert_refused("<x" L64 "@d>", 0, -EMSGSIZE);
	memset(s, 'a', sizeof(s));
	memcpy(s, "<a@", 3);
	s[3 + 256] = '>';
	assert_int_equal(smtp_path_parse(s, 260, 0, &path), -EMSGSIZE);
	for (size_t i = 60; i < 250; i += 60) {
		s[i] = '.';
	}
	s[256] = '>'; /* 257 bytes in all, each part short enough */
	assert_int_equal(smtp_path_parse(s, 257, 0, &path), -EMSGSIZE);
	s[255] = '>';
	assert_int_equal(smtp_path_parse(s, 256, 0, &path), 0);
}

static void
test_smtp_path_wants_smtputf8_for_8bit(void **state)
{
	(void)state;
	assert_refused("<j\xc3\xbcrg@b>", 0, -EILSEQ);
	assert_refused("<a@b\xc3\xbc>", 0, -EILSEQ);
	assert_refused("<\"\xc3\xbc\"@b>", 0, -EILSEQ);
	assert_parsed("<j\xc3\xbcrg@b\xc3\xbc.example>", SMTP_PATH_UTF8,
	    "j\xc3\xbcrg", "b\xc3\xbc.example");
	assert_refused("<\xc0\xaf@b>", SMTP_PATH_UTF8, -EBADMSG); /* overlong */
	assert_refused("<\xed\xa0\x80@b>", SMTP_PATH_UTF8, -EBADMSG);
	assert_refused("<\xf5\x80\x80\x80@b>", SMTP_PATH_UTF8, -EBADMSG);
	assert_refused("<\xc3@b>", SMTP_PATH_UTF8, -EBADMSG);
	assert_refused("<\xc2\x85@b>", SMTP_PATH_UTF8, -EBADMSG); /* C1 */
	assert_refused("<a@\xc3\xbc..b>", SMTP_PATH_UTF8, -EBADMSG);
	assert_refused("<a@\xc3\xbc!b>", SMTP_PATH_UTF8, -EBADMSG);
	assert_refused("<\"\\\xc3\xbc\"@b>", SMTP_PATH_UTF8, -EBADMSG);
}

static void
test_smtp_path_prefix_tells_where_parameters_begin(void **state)
{
	const char *s = "<\"a> b\"@c> SIZE=10";
	struct smtp_path path;
	size_t used;

	(void)state;
	assert_int_equal(
	    smtp_path_parse_prefix(s, strlen(s), 0, &path, &used), 0);
	assert_int_equal(used, 10);
	assert_int_equal(path.local_len, 6);
}

static void
assert_printed(const char *s, const char *want)
{
	char out[SMTP_PATH_PRINT_MAX];
	struct smtp_path path;
	ssize_t n;

	assert_int_equal(
	    parse(s, SMTP_PATH_NULL | SMTP_PATH_POSTMASTER, &path), 0);
	n = smtp_path_print(&path, out, sizeof(out));
	assert_int_equal(n, strlen(want));
	assert_string_equal(out, want);
	assert_int_equal(smtp_path_print(&path, out, (size_t)n), -ENOSPC);
	assert_int_equal(smtp_path_print(&path, out, (size_t)n + 1), n);
}

static void
test_smtp_path_prints_quotes_only_where_needed(void **state)
{
	(void)state;
	assert_printed("<a@B.example>", "a@B.example");
	assert_printed("<\"a\"@b>", "a@b");
	assert_printed("<\"a\\.\\b\"@b>", "a.b@b");
	assert_printed("<\"a b\"@b>", "\"a b\"@b");
	assert_printed("<\"a\\\\\\\"b\"@b>", "\"a\\\\\\\"b\"@b");
	assert_printed("<\".a\"@b>", "\".a\"@b");
	assert_printed("<\"\"@b>", "\"\"@b");
	assert_printed("<>", "");
	assert_printed("<Postmaster>", "Postmaster");
	assert_printed("<@r:a@[1.2.3.4]>", "a@[1.2.3.4]");
}

static void
test_smtp_path_local_gives_the_meaning_without_quotes(void **state)
{
	struct smtp_path path;
	char out[SMTP_LOCAL_MAX];

	(void)state;
	assert_int_equal(parse("<\"a\\\"\\ b\"@c>", 0, &path), 0);
	assert_int_equal(smtp_path_local(&path, out, sizeof(out)), 4);
	assert_memory_equal(out, "a\" b", 4);
	assert_int_equal(smtp_path_local(&path, out, 3), -ENOSPC);
}

static void
test_smtp_mailbox_parses_without_brackets(void **state)
{
	struct smtp_path path;

	(void)state;
	assert_int_equal(smtp_mailbox_parse("a@b.c", 5, 0, &path), 0);
	assert_int_equal(smtp_mailbox_parse("<a@b>", 5, 0, &path), -EBADMSG);
	assert_int_equal(smtp_mailbox_parse("", 0, 0, &path), -EBADMSG);
	assert_int_equal(smtp_mailbox_parse("", 0, SMTP_PATH_NULL, &path), 0);
	assert_int_equal(path.local_len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smtp_path_takes_mailboxes_of_every_form),
		cmocka_unit_test(
		    test_smtp_path_takes_the_null_path_only_when_asked),
		cmocka_unit_test(
		    test_smtp_path_takes_bare_postmaster_only_when_asked),
		cmocka_unit_test(test_smtp_path_skips_a_source_route),
		cmocka_unit_test(
		    test_smtp_path_takes_address_literals_and_marks_them),
		cmocka_unit_test(test_smtp_path_refuses_what_is_no_address),
		cmocka_unit_test(test_smtp_path_refuses_nul_inside),
		cmocka_unit_test(test_smtp_path_refuses_what_is_too_long),
		cmocka_unit_test(test_smtp_path_wants_smtputf8_for_8bit),
		cmocka_unit_test(
		    test_smtp_path_prefix_tells_where_parameters_begin),
		cmocka_unit_test(
		    test_smtp_path_prints_quotes_only_where_needed),
		cmocka_unit_test(
		    test_smtp_path_local_gives_the_meaning_without_quotes),
		cmocka_unit_test(test_smtp_mailbox_parses_without_brackets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
