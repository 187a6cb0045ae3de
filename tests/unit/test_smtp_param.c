#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "attr.h"
#include "smtp_param.h"

#define ALL ~0u

static int
mail(const char *s, unsigned offered, struct smtp_mail_params *m)
{
	return smtp_param_parse_mail(s, strlen(s), offered, m, NULL);
}

static int
rcpt(const char *s, struct smtp_rcpt_params *m)
{
	return smtp_param_parse_rcpt(s, strlen(s), ALL, false, m, NULL);
}

static void
test_smtp_param_reads_all_of_mail(void **state)
{
	struct smtp_mail_params m;

	(void)state;
	assert_int_equal(mail("size=1000 Body=8bitMIME SMTPUTF8 RET=HDRS "
			      "ENVID=QQ+2B1 AUTH=a+2Bb@c REQUIRETLS",
			     ALL, &m),
	    0);
	assert_int_equal(m.size, 1000);
	assert_int_equal(m.body, SMTP_BODY_8BITMIME);
	assert_int_equal(m.ret, SMTP_RET_HDRS);
	assert_int_equal(m.envid_len, 6);
	assert_memory_equal(m.envid, "QQ+2B1", 6);
	assert_memory_equal(m.auth, "a+2Bb@c", m.auth_len);
	assert_true((m.given & SMTP_PARAM_SMTPUTF8) != 0);
	assert_true((m.given & SMTP_PARAM_REQUIRETLS) != 0);
}

static void
test_smtp_param_takes_an_empty_text(void **state)
{
	struct smtp_mail_params m;
	struct smtp_rcpt_params r;

	(void)state;
	assert_int_equal(mail("", ALL, &m), 0);
	assert_int_equal(m.given, 0);
	assert_int_equal(mail("  ", ALL, &m), 0);
	assert_int_equal(rcpt("", &r), 0);
	assert_int_equal(r.given, 0);
}

static void
test_smtp_param_tells_duplicate_from_unknown(void **state)
{
	struct smtp_mail_params m;
	struct smtp_rcpt_params r;

	(void)state;
	assert_int_equal(mail("SIZE=1 SIZE=1", ALL, &m), -EEXIST);
	assert_int_equal(mail("RET=FULL ret=FULL", ALL, &m), -EEXIST);
	assert_int_equal(mail("XFOO=1", ALL, &m), -EOPNOTSUPP);
	assert_int_equal(mail("NOTIFY=NEVER", ALL, &m), -EOPNOTSUPP);
	assert_int_equal(rcpt("SIZE=1", &r), -EOPNOTSUPP);
	assert_int_equal(rcpt("NOTIFY=NEVER NOTIFY=NEVER", &r), -EEXIST);
	assert_int_equal(mail("REQUIRETLS", SMTP_PARAM_SIZE, &m), -EOPNOTSUPP);
}

static void
test_smtp_param_points_at_what_it_refuses(void **state)
{
	const char *s = "SIZE=1  XFOO=2 BODY=7BIT";
	struct smtp_param_bad bad;
	struct smtp_mail_params m;

	(void)state;
	assert_int_equal(
	    smtp_param_parse_mail(s, strlen(s), ALL, &m, &bad), -EOPNOTSUPP);
	assert_int_equal(bad.len, 6);
	assert_memory_equal(bad.text, "XFOO=2", 6);
}

static void
test_smtp_param_refuses_bad_values_of_mail(void **state)
{
	static const char *const bad[] = { "SIZE", "SIZE=", "SIZE=-1",
		"SIZE=1k", "SIZE=1111111111222222222233333333334444444444",
		"BODY=BINARYMIME", "BODY", "SMTPUTF8=1",
		"SMTPUTF8=", "RET=SOME", "RET", "ENVID", "ENVID=+00",
		"ENVID=+4", "ENVID=+4g", "ENVID=+4a", "ENVID=a=b", "ENVID=a\tb",
		"ENVID=a+0Ab", "AUTH=", "AUTH=x", "AUTH=a@", "AUTH=+00@b",
		"REQUIRETLS=1", "=1", "-A=1", "S\x01=1", "AUTH=\xc3\xbc@b",
		"AUTH=+C3+BC@b" };
	struct smtp_mail_params m;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(mail(bad[i], ALL, &m), -EBADMSG);
	}
	assert_int_equal(mail("AUTH=<>", ALL, &m), 0);
	assert_int_equal(mail("AUTH=+C3+BC@b SMTPUTF8", ALL, &m), 0);
}

static void
test_smtp_param_size_above_64_bits_is_the_largest(void **state)
{
	struct smtp_mail_params m;

	(void)state;
	assert_int_equal(mail("SIZE=18446744073709551615", ALL, &m), 0);
	assert_int_equal(m.size, UINT64_MAX);
	assert_int_equal(mail("SIZE=99999999999999999999", ALL, &m), 0);
	assert_int_equal(m.size, UINT64_MAX);
	assert_int_equal(mail("SIZE=00000000000000000007", ALL, &m), 0);
	assert_int_equal(m.size, 7);
}

static void
test_smtp_param_reads_all_of_rcpt(void **state)
{
	struct smtp_rcpt_params r;

	(void)state;
	assert_int_equal(
	    rcpt("NOTIFY=success,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c", &r), 0);
	assert_int_equal(r.notify,
	    SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY);
	assert_int_equal(r.orcpt_type_len, 6);
	assert_memory_equal(r.orcpt_type, "rfc822", 6);
	assert_int_equal(r.orcpt_len, 7);
	assert_memory_equal(r.orcpt, "a+2Bb@c", 7);
}

static void
test_smtp_param_refuses_bad_values_of_rcpt(void **state)
{
	static const char *const bad[] = { "NOTIFY",
		"NOTIFY=", "NOTIFY=NEVER,FAILURE", "NOTIFY=FAILURE,",
		"NOTIFY=,FAILURE", "NOTIFY=FAILURE,FAILURE", "NOTIFY=X",
		"ORCPT=a@b", "ORCPT=;a@b", "ORCPT=rfc822;",
		"ORCPT=rfc822;a+0Db", "ORCPT=rf c822;a", "ORCPT=rfc822;a\x7f",
		"ORCPT=utf-8;\xc3\xbc@b" };
	struct smtp_rcpt_params r;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(rcpt(bad[i], &r), -EBADMSG);
	}
}

static void
test_smtp_param_orcpt_takes_utf8_after_smtputf8(void **state)
{
	const char *s = "ORCPT=utf-8;j\xc3\xbc@b";
	struct smtp_rcpt_params r;

	(void)state;
	assert_int_equal(
	    smtp_param_parse_rcpt(s, strlen(s), ALL, true, &r, NULL), 0);
	assert_int_equal(r.orcpt_len, 5);
	s = "ORCPT=utf-8;j\xc3@b";
	assert_int_equal(
	    smtp_param_parse_rcpt(s, strlen(s), ALL, true, &r, NULL), -EBADMSG);
	s = "ORCPT=rfc822;j\xc3\xbc@b";
	assert_int_equal(
	    smtp_param_parse_rcpt(s, strlen(s), ALL, true, &r, NULL), -EBADMSG);
}

static void
test_smtp_xtext_round_trips_every_byte(void **state)
{
	char all[256], text[768], back[256];
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++) {
		all[i] = (char)i;
	}
	n = smtp_xtext_encode(all, sizeof(all), text, sizeof(text));
	assert_true(n > 0);
	assert_int_equal(
	    smtp_xtext_decode(text, (size_t)n, back, sizeof(back)), 256);
	assert_memory_equal(all, back, 256);
	assert_int_equal(
	    smtp_xtext_encode(all, sizeof(all), text, (size_t)n - 1), -ENOSPC);
	assert_int_equal(
	    smtp_xtext_decode(text, (size_t)n, back, 255), -ENOSPC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smtp_param_reads_all_of_mail),
		cmocka_unit_test(test_smtp_param_takes_an_empty_text),
		cmocka_unit_test(test_smtp_param_tells_duplicate_from_unknown),
		cmocka_unit_test(test_smtp_param_points_at_what_it_refuses),
		cmocka_unit_test(test_smtp_param_refuses_bad_values_of_mail),
		cmocka_unit_test(
		    test_smtp_param_size_above_64_bits_is_the_largest),
		cmocka_unit_test(test_smtp_param_reads_all_of_rcpt),
		cmocka_unit_test(test_smtp_param_refuses_bad_values_of_rcpt),
		cmocka_unit_test(
		    test_smtp_param_orcpt_takes_utf8_after_smtputf8),
		cmocka_unit_test(test_smtp_xtext_round_trips_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
