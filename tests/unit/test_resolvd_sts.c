#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "resolvd_wire.h"
#include "sts_line.h"

/* ---- the record --------------------------------------------------------- */

/* The id of the TXT records, "" when there is none. */
static const char *
record_id(const char *first, const char *second)
{
	static char id[STS_ID_SIZE];
	struct answer a;
	struct wire w;

	wire_begin(&w, "_mta-sts.example.com", PACKET_TXT, 0);
	wire_txt(&w, first, NULL);
	if (second != NULL) {
		wire_txt(&w, second, NULL);
	}
	wire_answer(&w, &a);
	id[0] = '\0';
	if (sts_record_id(&a, id) < 0) {
		id[0] = '\0';
	}
	packet_fini(&a.packet);
	return id;
}

static void
test_record_must_be_the_only_valid_one(void **state)
{
	(void)state;
	assert_string_equal(
	    record_id("v=STSv1; id=20160831085700Z;", NULL), "20160831085700Z");
	assert_string_equal(record_id("v=STSv1;id=1", NULL), "1");
	assert_string_equal(
	    record_id("v=STSv1 ; x-y=2 ; id=7", "v=spf1 -all"), "7");
	assert_string_equal(record_id("v=STSv1; id=1", "v=STSv1; id=2"), "");
	assert_string_equal(record_id("v=STSv1", NULL), "");
	assert_string_equal(record_id("v=STSv1;", NULL), "");
	assert_string_equal(record_id("v=STSv1; id=", NULL), "");
	assert_string_equal(record_id("v=STSv1; id=a-b", NULL), "");
	assert_string_equal(record_id("v=STSv10; id=1", NULL), "");
	assert_string_equal(record_id("id=1; v=STSv1", NULL), "");
	assert_string_equal(
	    record_id("v=STSv1; id=123456789012345678901234567890123", NULL),
	    "");
}

static void
test_record_is_none_when_the_question_failed(void **state)
{
	char id[STS_ID_SIZE] = "same";
	struct answer a;

	(void)state;
	wire_status(&a, ANSWER_TEMPORARY);
	assert_true(sts_record_id(&a, id) < 0);
	wire_status(&a, ANSWER_NODATA);
	assert_true(sts_record_id(&a, id) < 0);
	assert_string_equal(id, "same");
}

/* ---- the policy --------------------------------------------------------- */

static struct sts_policy
parsed(const char *text)
{
	struct sts_policy p;
	const char *why;

	assert_int_equal(sts_policy_parse(str_of(text), &p, &why), 0);
	return p;
}

static void
refused(const char *text, const char *expected)
{
	struct sts_policy p = { .max_age_s = 4711 };
	const char *why = "";

	assert_true(sts_policy_parse(str_of(text), &p, &why) < 0);
	assert_string_equal(why, expected);
	assert_int_equal(p.max_age_s, 4711);
}

static void
test_policy_is_read_with_either_line_end(void **state)
{
	struct sts_policy p = parsed("version: STSv1\r\n"
				     "mode: enforce\r\n"
				     "mx: Mail.Example.com\r\n"
				     "mx:*.example.net \r\n"
				     "max_age: 604800\r\n");
	struct sts_policy q = parsed("version:STSv1\nmax_age:604800\n"
				     "mx: mail.example.com\n"
				     "mx: *.example.net\nmode:enforce");

	(void)state;
	assert_int_equal(p.mode, STS_ENFORCE);
	assert_int_equal(p.max_age_s, 604800);
	assert_true(str_is(buf_str(&p.mx), "mail.example.com,*.example.net"));
	assert_true(str_eq(buf_str(&p.mx), buf_str(&q.mx)));
	sts_policy_fini(&p);
	sts_policy_fini(&q);
}

static void
test_policy_first_of_a_repeated_key_counts(void **state)
{
	struct sts_policy p = parsed("version: STSv1\nmode: testing\n"
				     "mode: enforce\nmx: a.test\n"
				     "max_age: 60\nmax_age: x\nnew: y\n");

	(void)state;
	assert_int_equal(p.mode, STS_TESTING);
	assert_int_equal(p.max_age_s, 60);
	sts_policy_fini(&p);
}

static void
test_policy_bounds_are_kept(void **state)
{
	struct sts_policy p =
	    parsed("version: STSv1\nmode: none\nmax_age: 9999999999\n");
	struct buf many = { 0 };

	(void)state;
	assert_int_equal(p.max_age_s, STS_MAX_AGE_S);
	sts_policy_fini(&p);
	buf_puts(&many, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (int i = 0; i <= STS_MX_MAX; i++) {
		buf_printf(&many, "mx: mx%d.test\n", i);
	}
	buf_u8(&many, '\0');
	refused((const char *)many.p, "it has too many mx");
	buf_fini(&many);
}

static void
test_policy_that_is_not_whole_is_refused(void **state)
{
	(void)state;
	refused("", "it has no version");
	refused("version: STSv2\n", "its version is not STSv1");
	refused("version: STSv1\nmode: Enforce\n", "its mode is not known");
	refused("version: STSv1\nmode: enforce\nmax_age: 1\n", "it has no mx");
	refused(
	    "version: STSv1\nmode: enforce\nmx: a.test\n", "it has no max_age");
	refused("version: STSv1\nmax_age: 1\nmx: a.test\n", "it has no mode");
	refused("version: STSv1\nmax_age: 12345678901\n",
	    "its max_age is not a number");
	refused("version: STSv1\nmax_age: -1\n", "its max_age is not a number");
	refused("version: STSv1\nmx: *.*.test\n", "an mx is not a host name");
	refused("version: STSv1\nmx: a*.test\n", "an mx is not a host name");
	refused(
	    "version: STSv1\nmx: a.test,b.test\n", "an mx is not a host name");
	refused("<html>", "a line has no colon");
	refused("version: STSv1\rmode: none\n", "it is not text");
}

static void
test_policy_wildcard_is_one_label(void **state)
{
	struct sts_policy p =
	    parsed("version: STSv1\nmode: enforce\nmax_age: 1\n"
		   "mx: mail.example.com\nmx: *.example.net\n");

	(void)state;
	assert_true(sts_policy_has(&p, STR("mail.example.com")));
	assert_true(sts_policy_has(&p, STR("MAIL.example.COM")));
	assert_true(sts_policy_has(&p, STR("a.example.net")));
	assert_false(sts_policy_has(&p, STR("a.b.example.net")));
	assert_false(sts_policy_has(&p, STR("example.net")));
	assert_false(sts_policy_has(&p, STR(".example.net")));
	assert_false(sts_policy_has(&p, STR("a.mail.example.com")));
	assert_false(sts_policy_has(&p, STR("")));
	sts_policy_fini(&p);
}

/* ---- the line of the file ----------------------------------------------- */

static void
make_line(const char *policy, struct buf *out)
{
	struct sts_known k = { .domain = "example.com",
		.id = "20260101",
		.fetched_s = 1700000000,
		.policy = parsed(policy) };

	sts_line_put(out, &k);
	sts_policy_fini(&k.policy);
}

static void
test_line_reads_as_what_was_written(void **state)
{
	struct buf line = { 0 };
	struct sts_known k;

	(void)state;
	make_line("version: STSv1\nmode: enforce\nmax_age: 86400\n"
		  "mx: a.test\nmx: *.b.test\n",
	    &line);
	assert_int_equal(line.p[line.len - 1], '\n');
	line.len--;
	assert_int_equal(sts_line_parse(buf_str(&line), &k), 0);
	assert_string_equal(k.domain, "example.com");
	assert_string_equal(k.id, "20260101");
	assert_int_equal(k.fetched_s, 1700000000);
	assert_int_equal(k.policy.mode, STS_ENFORCE);
	assert_int_equal(k.policy.max_age_s, 86400);
	assert_true(str_is(buf_str(&k.policy.mx), "a.test,*.b.test"));
	sts_policy_fini(&k.policy);
	buf_fini(&line);
}

static void
test_line_without_hosts_is_read(void **state)
{
	struct buf line = { 0 };
	struct sts_known k;

	(void)state;
	make_line("version: STSv1\nmode: none\nmax_age: 5\n", &line);
	line.len--;
	assert_int_equal(sts_line_parse(buf_str(&line), &k), 0);
	assert_int_equal(k.policy.mode, STS_NONE);
	assert_int_equal(k.policy.mx.len, 0);
	buf_fini(&line);
}

static void
test_line_with_any_damage_is_refused(void **state)
{
	struct buf line = { 0 };
	struct sts_known k = { .fetched_s = 4711 };

	(void)state;
	make_line("version: STSv1\nmode: enforce\nmax_age: 86400\n"
		  "mx: a.test\n",
	    &line);
	line.len--;
	for (size_t i = 0; i < line.len; i++) {
		struct str torn = { (const char *)line.p, i };

		assert_true(sts_line_parse(torn, &k) < 0);
		line.p[i] ^= 1;
		assert_true(sts_line_parse(buf_str(&line), &k) < 0);
		line.p[i] ^= 1;
	}
	assert_int_equal(k.fetched_s, 4711);
	buf_fini(&line);
}

static void
test_failure_reads_as_what_was_written_and_damage_is_refused(void **state)
{
	const struct sts_failure f = { .id = "2",
		.tried_s = 1700000000,
		.n = 3,
		.error = "the server answered with 404, not 200" };
	char domain[DOMAIN_NAME_MAX + 1] = "";
	struct sts_failure g = { 0 };
	struct buf line = { 0 };
	struct sts_known k;

	(void)state;
	sts_failure_put(&line, "example.com", &f);
	assert_int_equal(line.p[--line.len], '\n');
	for (size_t i = 0; i < line.len; i++) {
		struct str torn = { (const char *)line.p, i };

		assert_true(sts_failure_parse(torn, domain, &g) < 0);
	}
	assert_int_equal(g.n, 0);
	assert_true(sts_line_parse(buf_str(&line), &k) < 0);
	assert_int_equal(sts_failure_parse(buf_str(&line), domain, &g), 0);
	assert_string_equal(domain, "example.com");
	assert_memory_equal(&f, &g, sizeof(f));
	buf_fini(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_must_be_the_only_valid_one),
		cmocka_unit_test(test_record_is_none_when_the_question_failed),
		cmocka_unit_test(test_policy_is_read_with_either_line_end),
		cmocka_unit_test(test_policy_first_of_a_repeated_key_counts),
		cmocka_unit_test(test_policy_bounds_are_kept),
		cmocka_unit_test(test_policy_that_is_not_whole_is_refused),
		cmocka_unit_test(test_policy_wildcard_is_one_label),
		cmocka_unit_test(test_line_reads_as_what_was_written),
		cmocka_unit_test(test_line_without_hosts_is_read),
		cmocka_unit_test(test_line_with_any_damage_is_refused),
		cmocka_unit_test(
		    test_failure_reads_as_what_was_written_and_damage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
