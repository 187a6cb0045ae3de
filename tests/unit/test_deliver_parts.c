/*
 * The pure parts of deliver: order of addresses, lines, policies, texts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "deliver_world.h"
#include "esmtp.h"
#include "route.h"
#include "target.h"
#include "tls_policy.h"
#include "tls_table.h"
#include "transcript.h"
#include "verdict.h"

/* ---- target ------------------------------------------------------------- */

static uint32_t
counting(void *arg)
{
	return (*(uint32_t *)arg)++;
}

static void
add_host(struct route *r, uint16_t pref, unsigned n4, unsigned n6)
{
	struct route_host *h = &r->hosts[r->n_hosts++];

	h->pref = pref;
	for (unsigned i = 0; i < n4 + n6; i++) {
		h->addresses[h->n_addresses++].family = i < n4 ? 4 : 6;
	}
}

static uint8_t
family_of(const struct route *r, struct target t)
{
	return r->hosts[t.host].addresses[t.address].family;
}

static void
test_target_preference_goes_first(void **state)
{
	struct route_host hosts[4] = { 0 };
	struct route r = { .hosts = hosts };
	struct target_rule rule = { .max = TARGETS_MAX };
	struct target t[TARGETS_MAX];

	(void)state;
	add_host(&r, 10, 1, 0);
	add_host(&r, 10, 1, 0);
	add_host(&r, 20, 1, 0);
	for (uint32_t seed = 0; seed < 20; seed++) {
		assert_int_equal(
		    target_order(&r, &rule, counting, &seed, t), 3);
		assert_true(t[0].host < 2);
		assert_true(t[1].host < 2);
		assert_int_not_equal(t[0].host, t[1].host);
		assert_int_equal(t[2].host, 2);
	}
}

static void
test_target_families_take_turns(void **state)
{
	struct route_host hosts[4] = { 0 };
	struct route r = { .hosts = hosts };
	struct target_rule rule = { .first = TARGET_V6, .max = 4 };
	struct target t[TARGETS_MAX];
	uint32_t seed = 1;

	(void)state;
	add_host(&r, 10, 5, 2);
	assert_int_equal(target_order(&r, &rule, counting, &seed, t), 4);
	assert_int_equal(family_of(&r, t[0]), 6);
	assert_int_equal(family_of(&r, t[1]), 4);
	assert_int_equal(family_of(&r, t[2]), 6);
	assert_int_equal(family_of(&r, t[3]), 4);
	rule.first = TARGET_V4;
	assert_int_equal(target_order(&r, &rule, counting, &seed, t), 4);
	assert_int_equal(family_of(&r, t[0]), 4);
}

static void
test_target_keeps_to_the_family_of_the_source(void **state)
{
	struct route_host hosts[2] = { 0 };
	struct route r = { .hosts = hosts };
	struct target_rule rule = { .only = TARGET_V6, .max = TARGETS_MAX };
	struct target t[TARGETS_MAX];
	uint32_t seed = 1;

	(void)state;
	add_host(&r, 10, 3, 0);
	assert_int_equal(target_order(&r, &rule, counting, &seed, t), 0);
	add_host(&r, 20, 3, 1);
	assert_int_equal(target_order(&r, &rule, counting, &seed, t), 1);
	assert_int_equal(family_of(&r, t[0]), 6);
}

/* ---- route -------------------------------------------------------------- */

static void
test_route_next_hops_are_taken_apart(void **state)
{
	static const struct {
		const char *hop;
		int result;
		uint16_t port;
		const char *address;
	} hops[] = {
		{ "example.net", -ENOENT, 0, "" },
		{ "[mx.example.net]", -ENOENT, 0, "" },
		{ "[mx.example.net]:2525", -ENOENT, 2525, "" },
		{ "mx.example.net:587", -ENOENT, 587, "" },
		{ "[192.0.2.1]", 0, 0, "192.0.2.1" },
		{ "[192.0.2.1]:25", 0, 25, "192.0.2.1" },
		{ "192.0.2.1:2525", 0, 2525, "192.0.2.1" },
		{ "[2001:db8::1]:26", 0, 26, "2001:db8::1" },
		{ "[IPv6:2001:db8::1]", 0, 0, "2001:db8::1" },
		{ "2001:db8::1", 0, 0, "2001:db8::1" },
		{ "[mx.example.net]:0", -EBADMSG, 0, "" },
		{ "[mx.example.net]:65536", -EBADMSG, 0, "" },
		{ "[mx.example.net]x", -EBADMSG, 0, "" },
		{ "mx.example.net:smtp", -EBADMSG, 0, "" },
		{ "", -ENOENT, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < array_len(hops); i++) {
		struct plan_address a = { 0 };
		uint16_t port = 0;
		char text[46] = "";

		assert_int_equal(route_parse(str_of(hops[i].hop), &port, &a),
		    hops[i].result);
		if (hops[i].result == 0) {
			plan_address_print(&a, text);
		}
		assert_string_equal(text, hops[i].address);
		if (hops[i].result != -EBADMSG) {
			assert_int_equal(port, hops[i].port);
		}
	}
}

/* ---- lines -------------------------------------------------------------- */

static const struct ehlo all_caps = {
	.caps = EHLO_SIZE | EHLO_8BITMIME | EHLO_SMTPUTF8 | EHLO_DSN |
	    EHLO_REQUIRETLS,
};

static void
test_esmtp_nothing_unwritable_gets_out(void **state)
{
	static const char *const bad[] = { "a\r\nRCPT TO:<x>@b", "a\nb@c",
		"a@b> NOTIFY=NEVER", "a b@c", "\"a@b", "a\177@b",
		"\"a\\\n\"@b" };
	char line[ESMTP_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct esmtp_rcpt r = { .address = str_of(bad[i]) };
		struct esmtp_mail m = { .sender = str_of(bad[i]) };

		assert_int_equal(esmtp_rcpt(line, &r, &all_caps), -EBADMSG);
		assert_int_equal(esmtp_mail(line, &m, &all_caps), -EBADMSG);
	}
	assert_int_equal(esmtp_hello(line, "EHLO", STR("a\r\nQUIT")), -EBADMSG);
	assert_int_equal(esmtp_hello(line, "EHLO", STR("")), -EBADMSG);
}

static void
line_is(const char *line, int n, const char *expected)
{
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(line, expected, strlen(expected));
}

static void
test_esmtp_parameters_need_their_extensions(void **state)
{
	static const struct ehlo none;
	const struct esmtp_mail m = {
		.sender = STR("s@example.org"),
		.size = 1234,
		.flags = MESSAGE_8BIT | MESSAGE_REQUIRETLS,
		.is_utf8 = true,
		.ret = 1,
		.env_id = STR("a b"),
	};
	const struct esmtp_rcpt r = {
		.address = STR("\"a b\"@example.net"),
		.notify = RCPT_NOTIFY_SUCCESS | RCPT_NOTIFY_DELAY,
		.orcpt = STR("rfc822;a+b@example.net"),
	};
	char line[ESMTP_LINE_MAX];

	(void)state;
	line_is(line, esmtp_mail(line, &m, &all_caps),
	    "MAIL FROM:<s@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8 "
	    "REQUIRETLS RET=FULL ENVID=a+20b\r\n");
	line_is(line, esmtp_mail(line, &m, &none),
	    "MAIL FROM:<s@example.org> SMTPUTF8\r\n");
	line_is(line, esmtp_rcpt(line, &r, &all_caps),
	    "RCPT TO:<\"a b\"@example.net> NOTIFY=SUCCESS,DELAY "
	    "ORCPT=rfc822;a+2Bb@example.net\r\n");
	line_is(line, esmtp_rcpt(line, &r, &none),
	    "RCPT TO:<\"a b\"@example.net>\r\n");
}

static void
test_esmtp_goahead_that_refuses_is_seen(void **state)
{
	(void)state;
	assert_true(esmtp_goahead_is_refusal(STR("5.7.1 no")));
	assert_true(esmtp_goahead_is_refusal(STR("550 no")));
	assert_true(esmtp_goahead_is_refusal(STR("451")));
	assert_false(esmtp_goahead_is_refusal(STR("End data with .")));
	assert_false(esmtp_goahead_is_refusal(STR("500000 bytes are fine")));
	assert_false(esmtp_goahead_is_refusal(STR("")));
}

/* ---- TLS policy --------------------------------------------------------- */

static void
policy_is(struct tls_policy p, enum tls_level level, const char *name,
    const char *source)
{
	assert_int_equal(p.level, level);
	assert_string_equal(p.name, name);
	assert_string_equal(p.source, source);
}

static void
test_tls_policy_strongest_rung_decides(void **state)
{
	(void)state;
	world_start("smtp_tls_level = may\n");
	policy_is(
	    tls_policy_decide(STR(""), STR(""), 0), TLS_MAY, "may", "default");
	policy_is(tls_policy_decide(STR("encrypt"), STR(""), 0), TLS_ENCRYPT,
	    "encrypt", "table");
	policy_is(tls_policy_decide(STR("none"), STR(""), 0), TLS_NONE, "none",
	    "table");
	policy_is(tls_policy_decide(STR("learned"), STR(""), 0), TLS_ENCRYPT,
	    "learned", "learned");
	policy_is(tls_policy_decide(STR("none"), STR(""), MESSAGE_REQUIRETLS),
	    TLS_VERIFY, "encrypt", "requiretls");
	policy_is(tls_policy_decide(STR("dane"), STR(""), 0), TLS_MAY, "may",
	    "table");
	policy_is(tls_policy_decide(STR("nonsense"), STR(""), 0), TLS_MAY,
	    "may", "default");
	world_stop();
}

static void
test_tls_policy_tlsa_records_decide_where_dane_is_wanted(void **state)
{
	struct tls_policy dane;
	struct tls_policy may;

	(void)state;
	world_start("smtp_tls_level = dane\n");
	dane = tls_policy_decide(STR(""), STR(""), 0);
	may = tls_policy_decide(STR("may"), STR(""), 0);
	policy_is(tls_policy_at_host(&dane, TLSA_NONE, TLS_STS_FREE), TLS_MAY,
	    "may", "default");
	policy_is(tls_policy_at_host(&dane, TLSA_UNUSABLE, TLS_STS_FREE),
	    TLS_ENCRYPT, "encrypt", "dane");
	policy_is(tls_policy_at_host(&dane, TLSA_USABLE, TLS_STS_FREE),
	    TLS_DANE, "dane", "dane");
	policy_is(tls_policy_at_host(&dane, TLSA_UNKNOWN, TLS_STS_FREE),
	    TLS_LEAVE, "dane", "dane");
	policy_is(tls_policy_at_host(&may, TLSA_USABLE, TLS_STS_FREE), TLS_MAY,
	    "may", "table");
	dane = tls_policy_decide(STR("learned"), STR(""), MESSAGE_REQUIRETLS);
	policy_is(tls_policy_at_host(&dane, TLSA_UNUSABLE, TLS_STS_FREE),
	    TLS_VERIFY, "encrypt", "requiretls");
	policy_is(tls_policy_at_host(&dane, TLSA_USABLE, TLS_STS_FREE),
	    TLS_DANE, "dane", "dane");
	world_stop();
}

static void
test_tls_policy_sts_needs_the_host_named_and_verified(void **state)
{
	struct tls_policy may;
	struct tls_policy learned;
	struct tls_policy table;

	(void)state;
	world_start("smtp_tls_level = may\n");
	may = tls_policy_decide(STR(""), STR(""), 0);
	learned = tls_policy_decide(STR("learned"), STR(""), 0);
	table = tls_policy_decide(STR(""), STR("encrypt"), 0);
	policy_is(tls_policy_at_host(&may, TLSA_NONE, TLS_STS_NAMED),
	    TLS_VERIFY, "sts", "sts");
	policy_is(tls_policy_at_host(&may, TLSA_NONE, TLS_STS_REFUSED),
	    TLS_LEAVE, "sts", "sts");
	policy_is(tls_policy_at_host(&learned, TLSA_NONE, TLS_STS_NAMED),
	    TLS_VERIFY, "sts", "sts");
	policy_is(tls_policy_at_host(&table, TLSA_NONE, TLS_STS_NAMED),
	    TLS_VERIFY, "sts", "sts");
	assert_true(
	    tls_policy_at_host(&may, TLSA_NONE, TLS_STS_NAMED).is_private);
	assert_false(may.is_private);
	world_stop();
}

static void
test_tls_policy_exception_in_the_table_is_one_from_sts(void **state)
{
	struct tls_policy may;
	struct tls_policy none;

	(void)state;
	world_start("smtp_tls_level = may\n");
	may = tls_policy_decide(STR(""), STR("may"), 0);
	none = tls_policy_decide(STR(""), STR("none"), 0);
	policy_is(tls_policy_at_host(&may, TLSA_NONE, TLS_STS_NAMED), TLS_MAY,
	    "may", "table");
	policy_is(tls_policy_at_host(&none, TLSA_NONE, TLS_STS_REFUSED),
	    TLS_NONE, "none", "table");
	world_stop();
}

static void
test_tls_policy_dane_goes_before_sts(void **state)
{
	struct tls_policy dane;

	(void)state;
	world_start("smtp_tls_level = dane\n");
	dane = tls_policy_decide(STR(""), STR(""), 0);
	policy_is(tls_policy_at_host(&dane, TLSA_USABLE, TLS_STS_REFUSED),
	    TLS_DANE, "dane", "dane");
	policy_is(tls_policy_at_host(&dane, TLSA_UNKNOWN, TLS_STS_NAMED),
	    TLS_LEAVE, "dane", "dane");
	policy_is(tls_policy_at_host(&dane, TLSA_UNUSABLE, TLS_STS_NAMED),
	    TLS_VERIFY, "sts", "sts");
	policy_is(tls_policy_at_host(&dane, TLSA_NONE, TLS_STS_NAMED),
	    TLS_VERIFY, "sts", "sts");
	world_stop();
}

static void
test_tls_table_finds_the_closest_name(void **state)
{
	static const struct str text = STR("# comment\n\n"
					   "Example.com\tencrypt\n"
					   ".example.com  verify\r\n"
					   ".sub.example.com none\n"
					   "[relay.example]:587 dane\n"
					   "[relay.example] may\n"
					   "mx1.example,mx2.example none\n");
	static const struct {
		struct str hop;
		const char *level;
	} rows[] = {
		{ STR("example.com"), "encrypt" },
		{ STR("EXAMPLE.com:26"), "encrypt" },
		{ STR("a.example.com"), "verify" },
		{ STR("a.b.example.com"), "verify" },
		{ STR("a.sub.example.com"), "none" },
		{ STR("sub.example.com"), "verify" },
		{ STR("[relay.example]:587"), "dane" },
		{ STR("[relay.example]:25"), "may" },
		{ STR("notexample.com"), "" },
		{ STR("com"), "" },
	};
	struct buf error = { 0 };

	(void)state;
	assert_int_equal(tls_table_parse(text, &error), 0);
	for (size_t i = 0; i < array_len(rows); i++) {
		assert_true(str_is(tls_table_find(rows[i].hop, STR("mx.other")),
		    rows[i].level));
	}
	assert_true(str_is(
	    tls_table_find(STR("any.test"), STR("mx1.example,mx2.example")),
	    "none"));
	tls_table_fini();
}

static void
test_tls_table_with_a_mistake_changes_nothing(void **state)
{
	static const struct str bad[] = { STR("a.test\n"),
		STR("a.test strong\n"), STR("a.test may now\n"),
		STR("a.test may\nA.test none\n") };
	struct buf error = { 0 };

	(void)state;
	assert_int_equal(tls_table_parse(STR("a.test encrypt\n"), &error), 0);
	for (size_t i = 0; i < array_len(bad); i++) {
		error.len = 0;
		assert_int_equal(tls_table_parse(bad[i], &error), -EINVAL);
		assert_true(str_starts(buf_str(&error), "line "));
		assert_true(
		    str_is(tls_table_find(STR("a.test"), STR("")), "encrypt"));
	}
	buf_fini(&error);
	tls_table_fini();
}

static void
test_tls_policy_table_comes_before_the_default(void **state)
{
	(void)state;
	world_start("smtp_tls_level = encrypt\n");
	policy_is(tls_policy_decide(STR(""), STR("verify"), 0), TLS_VERIFY,
	    "verify", "table");
	policy_is(
	    tls_policy_decide(STR(""), STR("may"), 0), TLS_MAY, "may", "table");
	policy_is(tls_policy_decide(STR("learned"), STR("none"), 0),
	    TLS_ENCRYPT, "learned", "learned");
	world_stop();
}

/* ---- texts -------------------------------------------------------------- */

static void
test_transcript_is_bounded(void **state)
{
	struct transcript t = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++) {
		transcript_sent(&t, STR("RCPT TO:<somebody@example.net>"));
	}
	assert_true(t.text.len <= TRANSCRIPT_MAX);
	assert_non_null(memmem(t.text.p, t.text.len, "left out", 8));
	transcript_clear(&t);
	transcript_note(&t, "%s", "anew");
	assert_true(str_is(buf_str(&t.text), "- anew\n"));
	transcript_fini(&t);
}

static void
test_verdict_long_reply_is_cut(void **state)
{
	char text[8000];
	struct smtp_reply r = { .code = 550,
		.enhanced = { 5, 0, 0 },
		.text = text,
		.text_len = sizeof(text) };
	struct verdict v = { 0 };

	(void)state;
	memset(text, 'x', sizeof(text));
	verdict_from_reply(&v, PHASE_RCPT, STR("mx.example.net"), &r);
	assert_int_equal(v.text_len, VERDICT_TEXT_MAX);
	assert_memory_equal(v.text, "550 xxxx", 8);
	assert_int_equal(v.outcome, OUTCOME_FAILED);
	verdict_fini(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target_preference_goes_first),
		cmocka_unit_test(test_target_families_take_turns),
		cmocka_unit_test(test_target_keeps_to_the_family_of_the_source),
		cmocka_unit_test(test_route_next_hops_are_taken_apart),
		cmocka_unit_test(test_esmtp_nothing_unwritable_gets_out),
		cmocka_unit_test(test_esmtp_parameters_need_their_extensions),
		cmocka_unit_test(test_esmtp_goahead_that_refuses_is_seen),
		cmocka_unit_test(test_tls_policy_strongest_rung_decides),
		cmocka_unit_test(
		    test_tls_policy_table_comes_before_the_default),
		cmocka_unit_test(test_tls_table_finds_the_closest_name),
		cmocka_unit_test(test_tls_table_with_a_mistake_changes_nothing),
		cmocka_unit_test(
		    test_tls_policy_tlsa_records_decide_where_dane_is_wanted),
		cmocka_unit_test(
		    test_tls_policy_sts_needs_the_host_named_and_verified),
		cmocka_unit_test(
		    test_tls_policy_exception_in_the_table_is_one_from_sts),
		cmocka_unit_test(test_tls_policy_dane_goes_before_sts),
		cmocka_unit_test(test_transcript_is_bounded),
		cmocka_unit_test(test_verdict_long_reply_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
