#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ehlo.h"

static struct ehlo
parse(const char *text)
{
	struct ehlo e;

	ehlo_parse(text, strlen(text), &e);
	return e;
}

static void
test_ehlo_reads_all_capabilities_in_any_case(void **state)
{
	struct ehlo e = parse("mx.example at your service\nPIPELINING\n"
			      "size 10240000\n8BITMIME\nSmtpUtf8\nSTARTTLS\n"
			      "CHUNKING\nDSN\nENHANCEDSTATUSCODES\nREQUIRETLS\n"
			      "AUTH GSSAPI plain LOGIN\n"
			      "LIMITS MAILMAX=5 RCPTMAX=100 X=1");

	(void)state;
	assert_int_equal(e.caps, (1 << 12) - 1);
	assert_int_equal(e.size, 10240000);
	assert_int_equal(e.rcpt_max, 100);
	assert_int_equal(e.mail_max, 5);
}

static void
test_ehlo_skips_the_greeting(void **state)
{
	(void)state;
	assert_int_equal(parse("STARTTLS").caps, 0);
	assert_int_equal(parse("").caps, 0);
	assert_int_equal(parse("x\nSTARTTLS").caps, EHLO_STARTTLS);
}

static void
test_ehlo_size_without_value_is_no_limit(void **state)
{
	struct ehlo e = parse("x\nSIZE");

	(void)state;
	assert_int_equal(e.caps, EHLO_SIZE);
	assert_int_equal(e.size, 0);
	assert_int_equal(parse("x\nSIZE 0").caps, EHLO_SIZE);
	assert_int_equal(
	    parse("x\nSIZE 99999999999999999999999").size, UINT64_MAX);
}

static void
test_ehlo_ignores_what_is_odd(void **state)
{
	(void)state;
	assert_int_equal(parse("x\nSIZE -1").caps, 0);
	assert_int_equal(parse("x\nSIZE=5").caps, 0);
	assert_int_equal(parse("x\nSTARTTLSX\n STARTTLS\n\n\x1b\n=").caps, 0);
	assert_int_equal(parse("x\nAUTH").caps, 0);
	assert_int_equal(parse("x\nLIMITS RCPTMAX= MAILMAX=a =").rcpt_max, 0);
	assert_int_equal(parse("x\nSIZE 5\nSIZE 7").size, 5);
	assert_int_equal(parse("x\nSIZE x\nSIZE 7").size, 7);
}

static void
test_ehlo_understands_auth_with_equals_sign(void **state)
{
	(void)state;
	assert_int_equal(parse("x\nAUTH=LOGIN PLAIN").caps,
	    EHLO_AUTH_LOGIN | EHLO_AUTH_PLAIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ehlo_reads_all_capabilities_in_any_case),
		cmocka_unit_test(test_ehlo_skips_the_greeting),
		cmocka_unit_test(test_ehlo_size_without_value_is_no_limit),
		cmocka_unit_test(test_ehlo_ignores_what_is_odd),
		cmocka_unit_test(test_ehlo_understands_auth_with_equals_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
