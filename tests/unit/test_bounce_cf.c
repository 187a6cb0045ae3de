#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bounce_cf.h"

static struct reply_rules *rules;
static struct buf error;

static int
setup(void **state)
{
	(void)state;
	rules = reply_rules_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	reply_rules_free(&rules);
	buf_fini(&error);
	return 0;
}

static void
parse(const char *text)
{
	int e = bounce_cf_parse("bounce.cf", str_of(text), rules, &error);

	if (e < 0) {
		fail_msg("%.*s", STR_ARG(buf_str(&error)));
	}
}

static struct reply_answer
ask(unsigned code, const char *host, const char *text, enum reply_phase phase)
{
	struct reply_question q = { .code = code,
		.host = str_of(host),
		.text = str_of(text),
		.phase = phase };
	struct reply_answer a;

	reply_class(rules, &q, &a);
	return a;
}

static void
assert_refused(const char *text, const char *why)
{
	char got[1024];

	buf_clear(&error, 4096);
	assert_int_equal(
	    bounce_cf_parse("bounce.cf", str_of(text), rules, &error), -EINVAL);
	str_copy(got, sizeof(got), buf_str(&error));
	if (strstr(got, why) == NULL) {
		fail_msg("%s: not in: %s", why, got);
	}
}

static void
test_bounce_cf_rules_go_before_the_built_in_ones(void **state)
{
	struct reply_answer a;

	(void)state;
	parse("# comment\n\n"
	      "inactive_mailbox \"User   UNKNOWN, has left\" # why\n");
	a = ask(550, "", "user unknown, has\tleft us", REPLY_RCPT);
	assert_int_equal(a.reason, REASON_INACTIVE_MAILBOX);
	assert_int_equal(a.rule->line, 3);
	a = ask(550, "", "user unknown", REPLY_RCPT);
	assert_int_equal(a.reason, REASON_BAD_MAILBOX);
	assert_int_equal(a.rule->line, 0);
}

static void
test_bounce_cf_first_rule_that_fits_decides(void **state)
{
	(void)state;
	parse("content \"flurb\" code=551\n"
	      "policy \"flurb\"\n"
	      "virus \"flurb\"\n");
	assert_int_equal(
	    ask(551, "", "flurb", REPLY_RCPT).reason, REASON_CONTENT);
	assert_int_equal(
	    ask(550, "", "flurb", REPLY_RCPT).reason, REASON_POLICY);
}

static void
test_bounce_cf_expressions_fit_without_regard_to_case(void **state)
{
	(void)state;
	parse("bad_mailbox /no (person|one) (here|there)\\/$/\n");
	assert_int_equal(ask(550, "", "No ONE there/", REPLY_RCPT).reason,
	    REASON_BAD_MAILBOX);
	assert_int_equal(
	    ask(550, "", "no one there/ now", REPLY_RCPT).reason, REASON_OTHER);
}

static void
test_bounce_cf_host_stands_for_all_hosts_in_it(void **state)
{
	(void)state;
	parse("rate host=Mail.Example\n");
	assert_int_equal(
	    ask(450, "mail.example", "x", REPLY_RCPT).reason, REASON_RATE);
	assert_int_equal(
	    ask(450, "mx1.MAIL.example.", "x", REPLY_RCPT).reason, REASON_RATE);
	assert_int_equal(
	    ask(450, "gmail.example", "x", REPLY_RCPT).reason, REASON_OTHER);
	assert_int_equal(ask(450, "", "x", REPLY_RCPT).reason, REASON_OTHER);
}

static void
test_bounce_cf_permanence_goes_before_the_codes(void **state)
{
	struct reply_answer a;

	(void)state;
	parse("bad_mailbox \"gone\" permanent\n"
	      "rate \"enough\" permanent\n"
	      "policy \"not now\" temporary\n");
	a = ask(450, "", "gone", REPLY_RCPT);
	assert_true(a.is_permanent && a.is_hard && !a.is_retry);
	a = ask(450, "", "enough", REPLY_RCPT);
	assert_true(a.is_permanent && !a.is_hard && !a.is_retry);
	a = ask(550, "", "not now", REPLY_RCPT);
	assert_true(!a.is_permanent && !a.is_hard && a.is_retry);
}

static void
test_bounce_cf_named_phase_may_condemn_before_rcpt(void **state)
{
	(void)state;
	parse("bad_domain phase=mail \"closed\"\n"
	      "bad_domain \"shut\"\n");
	assert_int_equal(
	    ask(550, "", "closed", REPLY_MAIL).reason, REASON_BAD_DOMAIN);
	assert_int_equal(
	    ask(550, "", "closed", REPLY_RCPT).reason, REASON_OTHER);
	assert_int_equal(
	    ask(550, "", "shut", REPLY_MAIL).reason, REASON_SENDER);
}

static void
test_bounce_cf_mistakes_name_line_and_nearest_word(void **state)
{
	(void)state;
	assert_refused("\nbad_mailbx \"x\"",
	    "bounce.cf:2: bad_mailbx is no "
	    "class; the nearest is "
	    "bad_mailbox");
	assert_refused("rate", "fits every reply");
	assert_refused("rate \"*\"", "fits every reply");
	assert_refused("rate cod=450", "the nearest is code=");
	assert_refused("rate \"x\" permanentt", "the nearest is permanent;");
	assert_refused("rate code=250", "from 400 to 599");
	assert_refused("rate enhanced=5.1", "three numbers");
	assert_refused("rate host=*.example", "host= takes a domain");
	assert_refused("rate phase=rcpt,foo", "phase foo: write connect");
	assert_refused("rate \"abc", "closing \" is missing");
	assert_refused("rate /a(/", "/a(/: ");
	assert_refused("rate /(a)\\1/", "back-references");
	assert_refused("rate \"a\" \"b\"", "one \"text\"");
	assert_refused("rate /a/ /b/", "one /expression/");
	assert_refused("rate \"\"", "1 to 512 bytes");
}

static void
test_bounce_cf_prints_what_it_reads(void **state)
{
	static const char text[] =
	    "bad_mailbox      code=550 enhanced=5.*.1 host=a.example "
	    "phase=rcpt,content \"a \\\" b*c\" /x\\/\\.y/ temporary\n";
	struct buf out = { 0 };

	(void)state;
	parse(text);
	bounce_cf_print(reply_rules_get(rules, 0), &out);
	assert_int_equal(out.len, sizeof(text) - 1);
	assert_memory_equal(out.p, text, out.len);
	buf_fini(&out);
}

static void
test_bounce_cf_reads_the_built_in_rules_as_they_are_printed(void **state)
{
	struct buf out = { 0 }, again = { 0 };
	const struct reply_rule *rule;

	(void)state;
	for (size_t i = 0; i < n_reply_rules_builtin; i++) {
		bounce_cf_print(&reply_rules_builtin[i], &out);
	}
	assert_int_equal(
	    bounce_cf_parse("bounce.cf", buf_str(&out), rules, &error), 0);
	for (size_t i = 0; (rule = reply_rules_get(rules, i)) != NULL; i++) {
		bounce_cf_print(rule, &again);
	}
	assert_int_equal(again.len, out.len);
	assert_memory_equal(again.p, out.p, out.len);
	buf_fini(&out);
	buf_fini(&again);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bounce_cf_rules_go_before_the_built_in_ones),
		TEST(test_bounce_cf_first_rule_that_fits_decides),
		TEST(test_bounce_cf_expressions_fit_without_regard_to_case),
		TEST(test_bounce_cf_host_stands_for_all_hosts_in_it),
		TEST(test_bounce_cf_permanence_goes_before_the_codes),
		TEST(test_bounce_cf_named_phase_may_condemn_before_rcpt),
		TEST(test_bounce_cf_mistakes_name_line_and_nearest_word),
		TEST(test_bounce_cf_prints_what_it_reads),
		TEST(
		    test_bounce_cf_reads_the_built_in_rules_as_they_are_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
