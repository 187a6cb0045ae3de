#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "attr.h"
#include "header.h"

#define T(lit) lit, sizeof(lit) - 1

static const char sample[] = "Received: one\r\n"
			     "From: a@b.example\r\n"
			     "Subject: folded\r\n"
			     "\tline\r\n"
			     " and more\r\n"
			     "received : two\r\n"
			     "no field\r\n"
			     "To:\r\n"
			     "\r\n"
			     "Received: body\r\n";
#define SAMPLE sample, sizeof(sample) - 1

static void
assert_text(const char *p, size_t len, const char *want)
{
	assert_int_equal(len, strlen(want));
	assert_memory_equal(p, want, len);
}

static void
test_header_walks_fields_with_their_folding(void **state)
{
	struct header_iter it;
	struct header_field f;

	(void)state;
	header_iter_init(&it, SAMPLE);
	assert_int_equal(header_next(&it, &f), 1);
	assert_text(f.name, f.name_len, "Received");
	assert_text(f.value, f.value_len, " one");
	assert_int_equal(header_next(&it, &f), 1);
	assert_int_equal(header_next(&it, &f), 1);
	assert_text(f.name, f.name_len, "Subject");
	assert_text(f.value, f.value_len, " folded\r\n\tline\r\n and more");
	assert_int_equal(f.raw_len, 35);
	assert_int_equal(header_next(&it, &f), 1);
	assert_text(f.name, f.name_len, "received");
	assert_int_equal(header_next(&it, &f), -EBADMSG);
	assert_text(f.raw, f.raw_len, "no field\r\n");
	assert_int_equal(header_next(&it, &f), 1);
	assert_text(f.value, f.value_len, "");
	assert_int_equal(header_next(&it, &f), 0);
	assert_int_equal(header_next(&it, &f), 0);
}

static void
test_header_takes_a_last_field_without_crlf(void **state)
{
	struct header_field f;

	(void)state;
	assert_true(header_find(T("A: 1\r\nB: 2"), "b", &f));
	assert_text(f.value, f.value_len, " 2");
}

static void
test_header_ends_lines_at_crlf_only(void **state)
{
	(void)state;
	assert_int_equal(header_count(T("A: 1\nB: 2\r\n"), "B"), 0);
	assert_int_equal(header_count(T("A: 1\rB: 2\r\n"), "B"), 0);
	assert_int_equal(header_count(T("A: 1\r\n\n\r\nB: 2\r\n"), "B"), 1);
}

static void
test_header_finds_first_last_and_count_in_any_case(void **state)
{
	struct header_field f;

	(void)state;
	assert_int_equal(header_count(SAMPLE, "RECEIVED"), 2);
	assert_true(header_find(SAMPLE, "received", &f));
	assert_text(f.value, f.value_len, " one");
	assert_true(header_find_last(SAMPLE, "received", &f));
	assert_text(f.value, f.value_len, " two");
	assert_false(header_find(SAMPLE, "Receive", &f));
	assert_int_equal(header_block_len(SAMPLE), sizeof(sample) - 1 - 18);
}

static void
test_header_summary_counts_and_keeps_the_first(void **state)
{
	struct header_summary s;

	(void)state;
	header_summarize(SAMPLE, &s);
	assert_int_equal(s.fields, 5);
	assert_int_equal(s.malformed, 1);
	assert_int_equal(s.from, 1);
	assert_int_equal(s.received, 2);
	assert_int_equal(s.date, 0);
	assert_text(s.from_field.value, s.from_field.value_len, " a@b.example");
}

/* domains joined by spaces; a '?' after one in a display name */
static void
assert_domains(const char *value, const char *want)
{
	struct header_mailbox m[8];
	char got[512] = "";
	size_t n = 0;

	assert_int_equal(
	    header_mailboxes(value, strlen(value), m, array_len(m), &n), 0);
	for (size_t i = 0; i < n; i++) {
		strcat(got, i > 0 ? " " : "");
		strcat(got, m[i].domain);
		strcat(got, m[i].is_display ? "?" : "");
		assert_int_equal(strlen(m[i].domain), m[i].domain_len);
	}
	assert_string_equal(got, want);
}

static void
test_header_mailboxes_reads_all_forms(void **state)
{
	(void)state;
	assert_domains("a@B.Example", "b.example");
	assert_domains(" John Q. Public <a@b> ", "b");
	assert_domains("\"Doe, John\" <a@b>, c@d", "b d");
	assert_domains("\"x\\\"<e@f>\" <a@b>", "b");
	assert_domains("(c (d) @x <e@f>) a (x) @ (y) b (z) . c", "b.c");
	assert_domains("Group: a@b, C <c@d>;", "b d");
	assert_domains("undisclosed:;", "");
	assert_domains("G: a@b;, c@d", "b d");
	assert_domains("<@r,@s:a@b>", "b");
	assert_domains("\"a b\"@c", "c");
	assert_domains("\"a\".b . c@d", "d");
	assert_domains("a@[192.0.2.1]", "[192.0.2.1]");
	assert_domains("Folded\r\n name\r\n\t<a@b>", "b");
	assert_domains("=?utf-8?q?J=C3=BC_@x.example?= <a@b>", "b");
	assert_domains("J\xc3\xbcrg <j\xc3\xbc@b\xc3\xbc.de>", "b\xc3\xbc.de");
	assert_domains(", a@b,, c@d,", "b d");
	assert_domains("<a@b>(comment)", "b");
	assert_domains("a@x_y.example", "x_y.example");
}

static void
test_header_mailboxes_shows_an_address_used_as_name(void **state)
{
	(void)state;
	assert_domains("a@b <c@d>", "b? d");
	assert_domains("x@y, a@b <c@d>", "y b? d");
}

static void
test_header_mailboxes_refuses_what_is_ambiguous(void **state)
{
	static const char *const bad[] = { "a", "a b@c", "a@", "@b", "<>",
		"<a>", "a@b c@d", "a@b@c", "<a@b> <c@d>", "<a@b>c@d", "a@b>",
		"<a@b", "\"a@b", "(a@b", "a@(b", "a@b..c", "a@.b", "a@b.",
		"a@b;", "G: H: a@b;;", "G: a@b", "a@[1", "<a@b,c@d>", "a@b:c@d",
		"a@\xff", "a@b\x01", "a@b <c@d> x", "[x]@b", "a@b \"c\"",
		"<a@b>\xff" };
	struct header_mailbox m[4];

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		size_t n = 77;

		assert_int_equal(header_mailboxes(bad[i], strlen(bad[i]), m,
				     array_len(m), &n),
		    -EBADMSG);
		assert_int_equal(n, 77);
	}
	assert_int_equal(
	    header_mailboxes(T("a@b\0"), m, 4, &(size_t){ 0 }), -EBADMSG);
}

static void
test_header_mailboxes_stops_at_the_given_maximum(void **state)
{
	struct header_mailbox m[2];
	size_t n;

	(void)state;
	assert_int_equal(header_mailboxes(T("a@b, c@d"), m, 2, &n), 0);
	assert_int_equal(
	    header_mailboxes(T("a@b, c@d, e@f"), m, 2, &n), -E2BIG);
	assert_int_equal(header_mailboxes(T("a@b"), NULL, 0, &n), -E2BIG);
}

static void
test_header_message_id_is_the_part_in_brackets(void **state)
{
	const char *id;
	size_t len;

	(void)state;
	assert_int_equal(header_message_id(T(" <a.1@b> "), &id, &len), 0);
	assert_text(id, len, "<a.1@b>");
	assert_int_equal(header_message_id(T(" a@b"), &id, &len), -EBADMSG);
	assert_int_equal(header_message_id(T("<>"), &id, &len), -EBADMSG);
	assert_int_equal(header_message_id(T("<a b>"), &id, &len), -EBADMSG);
	assert_int_equal(header_message_id(T("<a"), &id, &len), -EBADMSG);
}

static void
assert_decoded(const char *value, const char *want)
{
	char out[256];
	size_t n = header_decode(value, strlen(value), out, sizeof(out));

	assert_text(out, n, want);
}

static void
test_header_decode_reads_encoded_words(void **state)
{
	(void)state;
	assert_decoded(" plain text ", "plain text");
	assert_decoded("a\r\n b\r\n\tc", "a b c");
	assert_decoded("=?UTF-8?Q?J=C3=BCrg_x?=", "J\xc3\xbcrg x");
	assert_decoded("=?utf-8?b?SsO8cmc=?= y", "J\xc3\xbcrg y");
	assert_decoded("=?iso-8859-1?q?J=FCrg?=", "J\xc3\xbcrg");
	assert_decoded("=?us-ascii*en?q?a?=", "a");
	assert_decoded("=?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c");
	assert_decoded("=?utf-8?b?w7w=?= =?utf-8?b?w7w=?=", "\xc3\xbc\xc3\xbc");
	/* one character over two words, as bad encoders do */
	assert_decoded("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xc3\xbc");
	assert_decoded("J\xc3\xbcrg", "J\xc3\xbcrg");
}

static void
test_header_decode_leaves_raw_what_it_cannot_decode(void **state)
{
	(void)state;
	assert_decoded("=?koi8-r?q?=C1?= x", "=?koi8-r?q?=C1?= x");
	assert_decoded("=?utf-8?x?a?=", "=?utf-8?x?a?=");
	assert_decoded("=?utf-8?q?=C?=", "=?utf-8?q?=C?=");
	assert_decoded("=?utf-8?b?a*b?=", "=?utf-8?b?a*b?=");
	assert_decoded("=?utf-8?q?a", "=?utf-8?q?a");
	assert_decoded("a =? b", "a =? b");
}

static void
test_header_decode_gives_printable_utf8_only(void **state)
{
	(void)state;
	assert_decoded("=?utf-8?q?a=0D=0AB:_x=00?=", "a  B: x ");
	assert_decoded("a\xff"
		       "b\xc3",
	    "a?b?");
	assert_decoded("a\xc2\x85"
		       "b\x1b[m",
	    "a b [m");
}

static void
test_header_decode_is_cut_between_characters(void **state)
{
	char out[4];

	(void)state;
	assert_int_equal(header_decode(T("abc\xc3\xbc"), out, 4), 3);
	assert_int_equal(header_decode(T("ab\xc3\xbc"), out, 4), 4);
	assert_int_equal(header_decode(T("ab\xc3\xbc"
					 "c"),
			     out, 4),
	    4);
	assert_int_equal(header_decode(T("x"), out, 0), 0);
}

static void
test_header_unfold_only_unfolds(void **state)
{
	char out[32];
	size_t n = header_unfold(T(" a\r\n\tb  =?utf-8?q?c?=\r\n"), out, 32);

	(void)state;
	assert_text(out, n, "a\tb  =?utf-8?q?c?=");
	assert_int_equal(header_unfold(T("abcdef"), out, 3), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_walks_fields_with_their_folding),
		cmocka_unit_test(test_header_takes_a_last_field_without_crlf),
		cmocka_unit_test(test_header_ends_lines_at_crlf_only),
		cmocka_unit_test(
		    test_header_finds_first_last_and_count_in_any_case),
		cmocka_unit_test(
		    test_header_summary_counts_and_keeps_the_first),
		cmocka_unit_test(test_header_mailboxes_reads_all_forms),
		cmocka_unit_test(
		    test_header_mailboxes_shows_an_address_used_as_name),
		cmocka_unit_test(
		    test_header_mailboxes_refuses_what_is_ambiguous),
		cmocka_unit_test(
		    test_header_mailboxes_stops_at_the_given_maximum),
		cmocka_unit_test(
		    test_header_message_id_is_the_part_in_brackets),
		cmocka_unit_test(test_header_decode_reads_encoded_words),
		cmocka_unit_test(
		    test_header_decode_leaves_raw_what_it_cannot_decode),
		cmocka_unit_test(test_header_decode_gives_printable_utf8_only),
		cmocka_unit_test(test_header_decode_is_cut_between_characters),
		cmocka_unit_test(test_header_unfold_only_unfolds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
