#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "check.h"
#include "resolvd_wire.h"
#include "tag_list.h"

#define AT "s1._domainkey.example.com"

static const char expected[] = "v=DKIM1; k=rsa; p=MIIBIjANBgkq+/8=";

static struct check_result
dkim(const char *published, const char *more)
{
	struct check_result r;
	struct answer a;
	struct wire w;

	wire_begin(&w, AT, PACKET_TXT, 0);
	wire_txt(&w, published, more, NULL);
	wire_answer(&w, &a);
	check_dkim(&a, AT, str_of(expected), &r);
	packet_fini(&a.packet);
	return r;
}

static void
test_check_dkim_compares_keys_not_bytes(void **state)
{
	static const char *const good[][2] = {
		{ expected, NULL },
		{ "p=MIIBIjANBgkq+/8=", NULL },
		{ "v=DKIM1; k=rsa; t=s; p=MIIBIj", "ANBgkq+/8=;" },
		{ "v=DKIM1 ; p = MIIB IjAN\tBgkq+/8", NULL },
		{ "k=RSA; h=sha1:SHA256; s=email; n=x; p=MIIBIjANBgkq+/8=",
		    NULL },
		{ "v=DKIM1;k=rsa;s=*;p=MIIBIjANBgkq+/8=", NULL },
	};

	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		struct check_result r = dkim(good[i][0], good[i][1]);

		assert_int_equal(r.status, CHECK_OK);
		assert_string_equal(r.reason, "found at " AT);
	}
}

static void
test_check_dkim_says_what_is_wrong(void **state)
{
	static const char *const bad[][2] = {
		{ "v=DKIM1; k=rsa; p=MIIBIjANBgkq+/9=", "has another key" },
		{ "v=DKIM1; p=MIIBIjANBgkq", "has another key" },
		{ "v=DKIM1; p=", "revokes the key: p= is empty" },
		{ "v=DKIM1; k=rsa", "has no p= tag" },
		{ "v=DKIM2; p=MIIBIjANBgkq+/8=", "is not of version DKIM1" },
		{ "k=ed25519; p=MIIBIjANBgkq+/8=",
		    "is for another algorithm: see k=" },
		{ "h=sha1; p=MIIBIjANBgkq+/8=",
		    "does not allow SHA-256: see h=" },
		{ "s=tlsrpt; p=MIIBIjANBgkq+/8=", "is not for mail: see s=" },
		{ "hello world", "is not a DKIM key record" },
		{ "p=a; p=b", "is not a DKIM key record" },
	};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct check_result r = dkim(bad[i][0], NULL);

		assert_int_equal(r.status, CHECK_WRONG);
		assert_non_null(strstr(r.reason, "record at " AT));
		assert_non_null(strstr(r.reason, bad[i][1]));
	}
}

static void
test_check_dkim_test_flag_is_mentioned(void **state)
{
	struct check_result r = dkim("t=s:y; p=MIIBIjANBgkq+/8=", NULL);

	(void)state;
	assert_int_equal(r.status, CHECK_OK);
	assert_non_null(strstr(r.reason, "t=y"));
}

static void
test_check_tells_missing_from_unknown(void **state)
{
	struct check_result r;
	struct answer a;

	(void)state;
	wire_status(&a, ANSWER_NXDOMAIN);
	check_dkim(&a, AT, str_of(expected), &r);
	assert_int_equal(r.status, CHECK_MISSING);
	assert_string_equal(r.reason, "no TXT record at " AT);
	wire_status(&a, ANSWER_TEMPORARY);
	check_dkim(&a, AT, str_of(expected), &r);
	assert_int_equal(r.status, CHECK_TEMPORARY);
	check_token(&a, "example.com", STR("x"), &r);
	assert_int_equal(r.status, CHECK_TEMPORARY);
	check_dmarc(&a, "_dmarc.example.com", &r);
	assert_int_equal(r.status, CHECK_TEMPORARY);
	assert_false(check_spf(&a, "example.com", &r));
	assert_int_equal(r.status, CHECK_TEMPORARY);
	check_bounce(&a, &a, "b.example.com", "b.us.test", "us.test", &r);
	assert_int_equal(r.status, CHECK_TEMPORARY);
}

static void
test_check_dkim_two_records_are_wrong(void **state)
{
	struct check_result r;
	struct answer a;
	struct wire w;

	(void)state;
	wire_begin(&w, AT, PACKET_TXT, 0);
	wire_txt(&w, expected, NULL);
	wire_txt(&w, "p=AAAA", NULL);
	wire_answer(&w, &a);
	check_dkim(&a, AT, str_of(expected), &r);
	assert_int_equal(r.status, CHECK_WRONG);
	packet_fini(&a.packet);
}

static void
test_check_token_is_one_of_the_records(void **state)
{
	struct check_result r;
	struct answer a;
	struct wire w;

	(void)state;
	wire_begin(&w, "example.com", PACKET_TXT, 0);
	wire_txt(&w, "v=spf1 -all", NULL);
	wire_txt(&w, " packetboat=", "abc ", NULL);
	wire_answer(&w, &a);
	check_token(&a, "example.com", STR("packetboat=abc"), &r);
	assert_int_equal(r.status, CHECK_OK);
	check_token(&a, "example.com", STR("packetboat=ab"), &r);
	assert_int_equal(r.status, CHECK_MISSING);
	packet_fini(&a.packet);
}

/* ---- the bounce name ---------------------------------------------------- */

static enum check_status
bounce(struct wire *w, struct wire *target)
{
	struct check_result r;
	struct answer a, t;

	wire_answer(w, &a);
	if (target != NULL) {
		wire_answer(target, &t);
	} else {
		wire_status(&t, ANSWER_NODATA);
	}
	check_bounce(&a, &t, "b.example.com", "b.us.test", "us.test", &r);
	packet_fini(&a.packet);
	packet_fini(&t.packet);
	return r.status;
}

static void
test_check_bounce_alias_may_pass_the_target(void **state)
{
	struct wire w;

	(void)state;
	wire_begin(&w, "b.example.com", PACKET_MX, 0);
	wire_cname(&w, "b.example.com", "B.US.test");
	wire_cname(&w, "b.us.test", "mx.us.test");
	assert_int_equal(bounce(&w, NULL), CHECK_OK);
	wire_begin(&w, "b.example.com", PACKET_MX, 3);
	wire_cname(&w, "b.example.com", "b.us.test");
	assert_int_equal(bounce(&w, NULL), CHECK_OK);
	wire_begin(&w, "b.example.com", PACKET_MX, 0);
	wire_cname(&w, "b.example.com", "b.them.test");
	assert_int_equal(bounce(&w, NULL), CHECK_WRONG);
}

static void
test_check_bounce_mx_may_name_a_host_of_the_target(void **state)
{
	struct wire w, t;

	(void)state;
	wire_begin(&w, "b.example.com", PACKET_MX, 0);
	wire_mx(&w, 10, "b.us.test");
	assert_int_equal(bounce(&w, NULL), CHECK_OK);
	wire_begin(&w, "b.example.com", PACKET_MX, 0);
	wire_mx(&w, 10, "us.test");
	assert_int_equal(bounce(&w, NULL), CHECK_OK);
	wire_begin(&w, "b.example.com", PACKET_MX, 0);
	wire_mx(&w, 10, "mx.us.test");
	wire_begin(&t, "b.us.test", PACKET_MX, 0);
	wire_mx(&t, 10, "mx.us.test");
	assert_int_equal(bounce(&w, &t), CHECK_OK);
	wire_begin(&w, "b.example.com", PACKET_MX, 0);
	wire_mx(&w, 10, "mx.them.test");
	assert_int_equal(bounce(&w, NULL), CHECK_WRONG);
	wire_begin(&w, "b.example.com", PACKET_MX, 0);
	assert_int_equal(bounce(&w, NULL), CHECK_MISSING);
}

/* ---- DMARC and SPF ------------------------------------------------------ */

static enum check_status
dmarc(const char *first, const char *second)
{
	struct check_result r;
	struct answer a;
	struct wire w;

	wire_begin(&w, "_dmarc.example.com", PACKET_TXT, 0);
	wire_txt(&w, first, NULL);
	if (second != NULL) {
		wire_txt(&w, second, NULL);
	}
	wire_answer(&w, &a);
	check_dmarc(&a, "_dmarc.example.com", &r);
	packet_fini(&a.packet);
	return r.status;
}

static void
test_check_dmarc_wants_one_record_with_a_policy(void **state)
{
	(void)state;
	assert_int_equal(dmarc("v=DMARC1; p=none", NULL), CHECK_OK);
	assert_int_equal(dmarc("v = DMARC1 ;p=Reject;", NULL), CHECK_OK);
	assert_int_equal(dmarc("v=DMARC1; p=none", "other"), CHECK_OK);
	assert_int_equal(dmarc("other", NULL), CHECK_MISSING);
	assert_int_equal(dmarc("p=none; v=DMARC1", NULL), CHECK_MISSING);
	assert_int_equal(dmarc("v=DMARC1", NULL), CHECK_WRONG);
	assert_int_equal(dmarc("v=DMARC1; p=maybe", NULL), CHECK_WRONG);
	assert_int_equal(
	    dmarc("v=DMARC1; p=none", "v=DMARC1; p=none"), CHECK_WRONG);
}

static void
test_check_spf_wants_one_record_of_bearable_length(void **state)
{
	char part[256];
	struct check_result r;
	struct answer a;
	struct wire w;

	(void)state;
	wire_begin(&w, "example.com", PACKET_TXT, 0);
	wire_txt(&w, "V=SPF1 -all", NULL);
	wire_txt(&w, "v=spf10 -all", NULL);
	wire_answer(&w, &a);
	assert_true(check_spf(&a, "example.com", &r));
	packet_fini(&a.packet);
	wire_begin(&w, "example.com", PACKET_TXT, 0);
	wire_txt(&w, "v=spf1", NULL);
	wire_txt(&w, "v=spf1 -all", NULL);
	wire_answer(&w, &a);
	assert_false(check_spf(&a, "example.com", &r));
	assert_int_equal(r.status, CHECK_WRONG);
	packet_fini(&a.packet);
	memset(part, 'x', 255);
	part[255] = '\0';
	wire_begin(&w, "example.com", PACKET_TXT, 0);
	wire_txt(&w, "v=spf1 ", part, part, part, part, part, part, part, part,
	    part, NULL);
	wire_answer(&w, &a);
	assert_false(check_spf(&a, "example.com", &r));
	assert_int_equal(r.status, CHECK_WRONG);
	packet_fini(&a.packet);
}

/* ---- tag lists and reasons ---------------------------------------------- */

static void
test_tag_list_splits_at_semicolons(void **state)
{
	struct tag_list t;

	(void)state;
	assert_int_equal(
	    tag_list_parse(STR(" v=DKIM1;\tp = a=b ; n=;"), &t), 0);
	assert_int_equal(t.n, 3);
	assert_true(str_is(tag_list_get(&t, "p", ""), "a=b"));
	assert_true(str_is(tag_list_get(&t, "n", "x"), ""));
	assert_true(str_is(tag_list_get(&t, "k", "rsa"), "rsa"));
	assert_true(tag_value_has(STR("sha1 : SHA256"), "sha256"));
	assert_false(tag_value_has(STR("sha1:sha2567"), "sha256"));
}

static void
test_tag_list_malformed_ones_are_refused(void **state)
{
	static const char *const bad[] = { "", ";", "a", "=b", "a=b;;c=d",
		"a=1;a=2", "1a=b", "a b=c" };
	struct tag_list t;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(tag_list_parse(str_of(bad[i]), &t), -EBADMSG);
	}
}

static void
test_check_reasons_stay_one_short_line(void **state)
{
	struct check_result r;
	char text[600];

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	check_set(&r, CHECK_WRONG, "%s", text);
	assert_int_equal(strlen(r.reason), CHECK_REASON_SIZE - 1);
	assert_int_equal(r.reason[0], '?');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_dkim_compares_keys_not_bytes),
		cmocka_unit_test(test_check_dkim_says_what_is_wrong),
		cmocka_unit_test(test_check_dkim_test_flag_is_mentioned),
		cmocka_unit_test(test_check_tells_missing_from_unknown),
		cmocka_unit_test(test_check_dkim_two_records_are_wrong),
		cmocka_unit_test(test_check_token_is_one_of_the_records),
		cmocka_unit_test(test_check_bounce_alias_may_pass_the_target),
		cmocka_unit_test(
		    test_check_bounce_mx_may_name_a_host_of_the_target),
		cmocka_unit_test(
		    test_check_dmarc_wants_one_record_with_a_policy),
		cmocka_unit_test(
		    test_check_spf_wants_one_record_of_bearable_length),
		cmocka_unit_test(test_tag_list_splits_at_semicolons),
		cmocka_unit_test(test_tag_list_malformed_ones_are_refused),
		cmocka_unit_test(test_check_reasons_stay_one_short_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
