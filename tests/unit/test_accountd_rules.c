#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "apikey.h"
#include "clock.h"
#include "expiry.h"
#include "names.h"
#include "networks.h"
#include "plan.h"
#include "records.h"
#include "settings.h"
#include "verdict.h"

#define DAY_US (86400ULL * US_PER_S)
#define NOW_US (1700000000ULL * US_PER_S)

/* ---- names, networks, times ------------------------------------------------
 */

static void
test_names_have_one_form(void **state)
{
	static const char *const bad[] = { "", "Shop", "-a", ".a", "a b", "a/",
		"/a", "a/b/c", "a\n", "\xc3\xa4",
		("a123456789012345678901234567890123456789012345678901234567890"
		 "123") };
	struct name n;

	(void)state;
	assert_int_equal(name_parse(STR("shop/eu-1"), &n), 0);
	assert_true(str_is(n.account, "shop"));
	assert_true(str_is(n.sub, "eu-1"));
	assert_int_equal(name_parse(STR("0.a_b-c"), &n), 0);
	assert_int_equal(n.sub.len, 0);
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(name_parse(str_of(bad[i]), &n), -EINVAL);
	}
}

static void
test_networks_contain_their_addresses_only(void **state)
{
	const struct str list =
	    STR("192.0.2.0/25, 198.51.100.7 2001:db8:1::/47 10.0.0.0/8");

	(void)state;
	assert_true(networks_contain(list, STR("192.0.2.127")));
	assert_false(networks_contain(list, STR("192.0.2.128")));
	assert_true(networks_contain(list, STR("198.51.100.7")));
	assert_false(networks_contain(list, STR("198.51.100.8")));
	assert_true(networks_contain(list, STR("2001:db8:0:5::1")));
	assert_true(networks_contain(list, STR("2001:db8:1:ffff::1")));
	assert_false(networks_contain(list, STR("2001:db8:2::1")));
	assert_true(networks_contain(list, STR("::ffff:10.1.2.3")));
	assert_false(networks_contain(list, STR("")));
	assert_false(networks_contain(list, STR("10.1.2")));
	assert_false(networks_contain(STR(""), STR("10.1.2.3")));
	assert_true(networks_contain(STR("0.0.0.0/0"), STR("10.1.2.3")));
	assert_false(networks_contain(STR("0.0.0.0/0"), STR("::1")));
}

static void
test_networks_with_mistakes_are_refused(void **state)
{
	static const char *const bad[] = { "10.0.0.0/33", "10.0.0.1/24", "x",
		"10.0.0.0/", "::/129", "10.0.0.0/8 300.1.1.1", "1.2.3.4/a" };
	struct str word;

	(void)state;
	assert_int_equal(
	    networks_check(STR("10.0.0.0/8,::1 2001:db8::/32"), &word), 0);
	assert_int_equal(networks_check(STR(""), &word), 0);
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(
		    networks_check(str_of(bad[i]), &word), -EINVAL);
	}
	assert_int_equal(networks_check(STR("::1 300.1.1.1"), &word), -EINVAL);
	assert_true(str_is(word, "300.1.1.1"));
}

static void
test_expiry_is_a_span_or_a_date_in_the_future(void **state)
{
	uint64_t at = 0;

	(void)state;
	assert_int_equal(expiry_parse(STR("30d"), NOW_US, &at), 0);
	assert_int_equal(at, NOW_US + 30 * DAY_US);
	assert_int_equal(expiry_parse(STR("2030-12-31"), NOW_US, &at), 0);
	assert_int_equal(at, 1924905600 * US_PER_S);
	assert_int_equal(
	    expiry_parse(STR("2030-12-31T01:00:00Z"), NOW_US, &at), 0);
	assert_int_equal(at, (1924905600 + 3600) * US_PER_S);
	assert_int_equal(expiry_parse(STR("2001-01-01"), NOW_US, &at), -ERANGE);
	assert_int_equal(expiry_parse(STR("0s"), NOW_US, &at), -ERANGE);
	assert_int_equal(expiry_parse(STR("soon"), NOW_US, &at), -EINVAL);
	assert_int_equal(expiry_parse(STR(""), NOW_US, &at), -EINVAL);
	assert_int_equal(expiry_parse(STR("d"), NOW_US, &at), -EINVAL);
	assert_int_equal(
	    expiry_parse(STR("99999999999w"), NOW_US, &at), -EINVAL);
	assert_int_equal(
	    expiry_parse(STR("2030-12-31x"), NOW_US, &at), -EINVAL);
}

/* ---- API keys --------------------------------------------------------------
 */

static void
test_apikey_matches_only_its_own_record(void **state)
{
	struct apikey a;
	struct apikey b;
	struct schema_key k = { 0 };
	uint32_t id = 0;

	(void)state;
	assert_int_equal(apikey_make(12, false, &a), 0);
	assert_int_equal(apikey_make(12, false, &b), 0);
	assert_int_equal(strncmp(a.text, "pb_12_", 6), 0);
	assert_int_equal(apikey_id(str_of(a.text), &id), 0);
	assert_int_equal(id, 12);
	k.salt = (struct str){ (char *)a.salt, sizeof(a.salt) };
	k.hash = (struct str){ (char *)a.hash, sizeof(a.hash) };
	assert_true(apikey_matches(&k, str_of(a.text)));
	assert_false(apikey_matches(&k, str_of(b.text)));
	assert_false(apikey_matches(&k, STR("")));
	assert_false(apikey_matches(NULL, str_of(a.text)));
	a.text[strlen(a.text) - 1] ^= 1;
	assert_false(apikey_matches(&k, str_of(a.text)));
}

static void
test_apikey_record_without_hash_matches_nothing(void **state)
{
	struct schema_key k = { 0 };
	struct apikey a;

	(void)state;
	assert_int_equal(apikey_make(1, true, &a), 0);
	assert_int_equal(strncmp(a.text, "pbt_1_", 6), 0);
	assert_false(apikey_matches(&k, str_of(a.text)));
}

static void
test_apikey_id_needs_the_whole_form(void **state)
{
	static const char *const bad[] = { "", "pb", "pb_", "pb_1", "pb_1_",
		"pb_0_0123456789012345678901234567890123456789012",
		"pb_x_0123456789012345678901234567890123456789012",
		"pc_1_0123456789012345678901234567890123456789012",
		"pb_4294967296_0123456789012345678901234567890123456789012",
		"pb_1_01234567890123456789012345678901234567890123" };
	uint32_t id;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(apikey_id(str_of(bad[i]), &id), -EINVAL);
	}
}

/* ---- settings --------------------------------------------------------------
 */

static void
test_settings_of_a_subaccount_stand_before_the_accounts(void **state)
{
	struct schema_account a = { 0 };
	struct schema_account sub = { .parent = 1 };
	struct buf error = { 0 };
	struct settings s;

	(void)state;
	assert_int_equal(
	    settings_set(&a, STR("unsigned"), STR("allow"), &error), 0);
	assert_int_equal(
	    settings_set(&a, STR("class"), STR("digest"), &error), 0);
	settings_of(&a, &sub, &s);
	assert_true(s.unsigned_ok);
	assert_int_equal(s.class, CLASS_DIGEST);
	assert_int_equal(
	    settings_set(&sub, STR("unsigned"), STR("refuse"), &error), 0);
	sub.is_paused = 1;
	settings_of(&a, &sub, &s);
	assert_false(s.unsigned_ok);
	assert_true(s.is_paused);
	settings_of(&a, NULL, &s);
	assert_false(s.is_paused);
	assert_int_equal(s.weight, WEIGHT_DEFAULT);
}

static void
test_settings_refuse_unknown_names_and_values(void **state)
{
	static const char *const bad[][2] = { { "colour", "red" },
		{ "unsigned", "maybe" }, { "weight", "1001" },
		{ "quota", "-1" }, { "quota", "4294967296" },
		{ "notes", "a\nb" }, { "class", "priority standard" } };
	struct schema_account a = { 0 };

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct buf error = { 0 };

		assert_int_equal(settings_set(&a, str_of(bad[i][0]),
				     str_of(bad[i][1]), &error),
		    -EINVAL);
		assert_true(error.len > 0);
		buf_fini(&error);
	}
}

/* ---- verdicts --------------------------------------------------------------
 */

struct world {
	struct schema_account account;
	struct schema_account sub;
	struct schema_key key;
	struct schema_domain domain;
	struct verdict_input in;
	struct verdict v;
};

static struct world
world(void)
{
	return (struct world){
		.account = { .id = 1, .name = STR("shop") },
		.sub = { .id = 2, .parent = 1, .name = STR("eu") },
		.key = { .id = 3, .account = 1 },
		.domain = { .account = 1,
		    .name = STR("example.com"),
		    .state = DOMAIN_VERIFIED,
		    .bounce_status = CHECK_OK },
		.in = { .from_domain = STR("mail.example.com"),
		    .header_from = STR("News <news@mail.example.com>"),
		    .sender = STR("a@example.com"),
		    .from_state = -1,
		    .now_us = NOW_US },
	};
}

static const struct verdict *
decide(struct world *w)
{
	w->in.account = &w->account;
	verdict_make(&w->in, &w->v);
	return &w->v;
}

static void
test_verdict_verified_domain_is_signed(void **state)
{
	struct world w = world();

	(void)state;
	w.in.from = &w.domain;
	assert_int_equal(decide(&w)->code, 0);
	assert_true(str_is(w.v.sign_domain, "example.com"));
	assert_true(w.v.has_return_domain);
	assert_int_equal(w.v.flags, 0);
	assert_int_equal(w.v.class, CLASS_STANDARD);

	w.domain.bounce_status = CHECK_MISSING;
	assert_int_equal(decide(&w)->code, 0);
	assert_false(w.v.has_return_domain);
}

static void
test_verdict_domain_that_is_not_verified_is_unsigned(void **state)
{
	struct world w = world();

	(void)state;
	assert_int_equal(decide(&w)->code, 550);
	assert_string_equal(w.v.enh, "5.7.1");
	assert_int_equal(strncmp(w.v.text,
			     "Domain mail.example.com is not verified for "
			     "this account: unsigned",
			     66),
	    0);
	w.in.from_state = DOMAIN_PENDING;
	assert_non_null(strstr(decide(&w)->text, "publish the records"));
	w.in.from_state = DOMAIN_FAILED;
	assert_non_null(strstr(decide(&w)->text, "are gone"));
}

static void
test_verdict_unsigned_allow_skips_the_check_and_still_signs(void **state)
{
	struct world w = world();

	(void)state;
	w.account.unsigned_mail = STR("allow");
	assert_int_equal(decide(&w)->code, 0);
	assert_int_equal(w.v.sign_domain.len, 0);
	w.in.from = &w.domain;
	assert_int_equal(decide(&w)->code, 0);
	assert_true(str_is(w.v.sign_domain, "example.com"));
	w.sub.unsigned_mail = STR("refuse");
	w.in.sub = &w.sub;
	w.in.from = NULL;
	assert_int_equal(decide(&w)->code, 550);
}

static void
test_verdict_message_without_from_is_refused(void **state)
{
	struct world w = world();

	(void)state;
	w.account.unsigned_mail = STR("allow");
	w.in.from_domain.len = 0;
	assert_int_equal(decide(&w)->code, 550);
	assert_string_equal(w.v.enh, "5.6.0");
}

static void
test_verdict_key_limits_from(void **state)
{
	struct world w = world();

	(void)state;
	w.in.from = &w.domain;
	w.in.has_key = true;
	w.in.key = &w.key;
	w.key.from = STR("example.com");
	assert_int_equal(decide(&w)->code, 0);
	w.key.from = STR("b.example.com");
	assert_int_equal(decide(&w)->code, 550);
	w.key.from = STR("NEWS@mail.example.com");
	assert_int_equal(decide(&w)->code, 0);
	w.key.from = STR("sales@mail.example.com");
	assert_int_equal(decide(&w)->code, 550);
	/* a display name that looks like the right address is not one */
	w.key.from = STR("news@mail.example.com");
	w.in.header_from = STR("news@mail.example.com <ceo@mail.example.com>");
	assert_int_equal(decide(&w)->code, 550);
}

static void
test_verdict_key_that_ended_is_refused(void **state)
{
	struct world w = world();

	(void)state;
	w.in.from = &w.domain;
	w.in.has_key = true;
	assert_int_equal(decide(&w)->code, 550);
	w.in.key = &w.key;
	assert_int_equal(decide(&w)->code, 0);
	w.key.expires_us = NOW_US;
	assert_int_equal(decide(&w)->code, 550);
	w.key.expires_us = NOW_US + 1;
	assert_int_equal(decide(&w)->code, 0);
	w.key.revoked_us = 1;
	assert_int_equal(decide(&w)->code, 550);
	w.in.account = NULL;
	verdict_make(&w.in, &w.v);
	assert_int_equal(w.v.code, 550);
}

static void
test_verdict_subaccount_must_exist_and_fit_the_key(void **state)
{
	struct world w = world();

	(void)state;
	w.in.from = &w.domain;
	w.in.want_sub = STR("us");
	assert_int_equal(decide(&w)->code, 550);
	assert_string_equal(w.v.enh, "5.7.1");
	assert_non_null(strstr(w.v.text, "us"));
	w.in.want_sub = STR("eu");
	w.in.want_sub_exists = true;
	w.in.sub = &w.sub;
	assert_int_equal(decide(&w)->code, 0);
	w.in.has_key = true;
	w.in.key = &w.key;
	w.key.subaccount = 9;
	assert_int_equal(decide(&w)->code, 550);
	w.key.subaccount = 2;
	assert_int_equal(decide(&w)->code, 0);
}

static void
test_verdict_plain_sender_needs_a_verified_domain_too(void **state)
{
	struct world w = world();

	(void)state;
	w.account.sender = STR("plain");
	w.in.from = &w.domain;
	assert_int_equal(decide(&w)->code, 550);
	assert_non_null(strstr(w.v.text, "unsigned"));
	w.in.sender_domain = &w.domain;
	assert_int_equal(decide(&w)->code, 0);
	assert_int_equal(w.v.flags, TX_PLAIN_SENDER);
	w.in.sender_domain = NULL;
	w.in.sender.len = 0;
	assert_int_equal(decide(&w)->code, 0);
}

static void
test_verdict_flags_class_and_pool(void **state)
{
	struct world w = world();

	(void)state;
	w.in.from = &w.domain;
	w.in.has_key = true;
	w.in.key = &w.key;
	w.key.is_test = 1;
	w.account.is_paused = 1;
	w.account.pool = STR("eu");
	w.in.want_class = STR("priority");
	assert_int_equal(decide(&w)->code, 0);
	assert_int_equal(w.v.flags, TX_TEST | TX_HELD);
	assert_int_equal(w.v.class, CLASS_PRIORITY);
	assert_true(str_is(w.v.pool, "eu"));
	w.in.want_class = STR("no such class");
	w.in.want_pool = STR("us");
	w.in.want_pool_exists = true;
	assert_int_equal(decide(&w)->code, 0);
	assert_true(str_is(w.v.pool, "eu"));
	assert_true(w.v.is_pool_ignored);
	w.account.pools = STR("de, us");
	w.in.want_pool_exists = false;
	assert_true(decide(&w)->is_pool_ignored);
	w.in.want_pool_exists = true;
	assert_false(decide(&w)->is_pool_ignored);
	assert_int_equal(decide(&w)->class, CLASS_STANDARD);
	assert_true(str_is(w.v.pool, "us"));
}

static void
test_verdict_text_is_one_line(void **state)
{
	struct world w = world();

	(void)state;
	w.in.from_domain = STR("a\r\nb");
	assert_null(strpbrk(decide(&w)->text, "\r\n"));
}

/* ---- states of domains -----------------------------------------------------
 */

static struct ipc_domain_rep
all_ok(void)
{
	return (struct ipc_domain_rep){ .token = CHECK_OK };
}

static void
test_domain_is_verified_by_its_rsa_record(void **state)
{
	struct schema_domain d = { .state = DOMAIN_PENDING };
	struct ipc_domain_rep rep = all_ok();

	(void)state;
	rep.dkim1 = CHECK_WRONG;
	rep.dkim1_reason = STR("another key");
	assert_false(records_judge(&d, &rep, NOW_US, DAY_US));
	assert_int_equal(d.state, DOMAIN_PENDING);
	assert_true(str_is(d.dkim1_reason, "another key"));
	rep = all_ok();
	rep.token = rep.spf = rep.bounce = rep.dmarc = CHECK_MISSING;
	rep.dkim2 = CHECK_MISSING;
	assert_true(records_judge(&d, &rep, NOW_US, DAY_US));
	assert_int_equal(d.state, DOMAIN_VERIFIED);
	assert_int_equal(d.verified_us, NOW_US);
}

static void
test_domain_fails_only_after_the_grace_time(void **state)
{
	struct schema_domain d = { .state = DOMAIN_VERIFIED, .verified_us = 1 };
	struct ipc_domain_rep rep = all_ok();

	(void)state;
	rep.dkim1 = CHECK_MISSING;
	assert_false(records_judge(&d, &rep, NOW_US, DAY_US));
	assert_false(records_judge(&d, &rep, NOW_US + DAY_US - 1, DAY_US));
	assert_int_equal(d.state, DOMAIN_VERIFIED);
	assert_true(records_judge(&d, &rep, NOW_US + DAY_US, DAY_US));
	assert_int_equal(d.state, DOMAIN_FAILED);
	rep.dkim1 = CHECK_OK;
	assert_true(records_judge(&d, &rep, NOW_US + 2 * DAY_US, DAY_US));
	assert_int_equal(d.state, DOMAIN_VERIFIED);
	assert_int_equal(d.failing_us, 0);
}

static void
test_domain_never_fails_by_what_cannot_be_told(void **state)
{
	struct schema_domain d = { .state = DOMAIN_VERIFIED, .verified_us = 1 };
	struct ipc_domain_rep rep = { .token = CHECK_TEMPORARY,
		.dkim1 = CHECK_TEMPORARY,
		.dkim2 = CHECK_TEMPORARY,
		.bounce = CHECK_TEMPORARY };

	(void)state;
	assert_false(records_judge(&d, NULL, NOW_US, 0));
	for (unsigned i = 0; i < 100; i++) {
		assert_false(
		    records_judge(&d, &rep, NOW_US + i * DAY_US, DAY_US));
	}
	assert_int_equal(d.state, DOMAIN_VERIFIED);
	assert_int_equal(d.dkim2_status, CHECK_OK);
	assert_int_equal(d.bounce_status, CHECK_OK);
}

static void
test_domain_records_can_be_published(void **state)
{
	const struct schema_domain d = { .name = STR("example.com"),
		.token = STR("packetboat-verification=00"),
		.selector1 = STR("pb1-202311r"),
		.record1 = STR("v=DKIM1; k=rsa; p=AA"),
		.selector2 = STR("pb1-202311e"),
		.record2 = STR("v=DKIM1; k=ed25519; p=BB") };
	const struct records_site site = { "mta.example.net", "mx.example.net",
		"192.0.2.1 2001:db8::1" };
	static const char *const want[][2] = {
		{ "example.com.", "packetboat-verification=00" },
		{ "pb1-202311r._domainkey.example.com.",
		    "v=DKIM1; k=rsa; p=AA" },
		{ "pb1-202311e._domainkey.example.com.",
		    "v=DKIM1; k=ed25519; p=BB" },
		{ "bounces.example.com.", "mta.example.net." },
		{ "example.com.", "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all" },
		{ "_dmarc.example.com.", "v=DMARC1; p=none" },
	};
	struct record r[RECORDS_MAX];
	size_t n = records_of(&d, &site, r);

	(void)state;
	assert_int_equal(n, array_len(want));
	for (size_t i = 0; i < n; i++) {
		assert_true(str_is(buf_str(&r[i].name), want[i][0]));
		assert_true(str_is(buf_str(&r[i].value), want[i][1]));
	}
	records_fini(r, n);
}

static void
test_domain_selectors_tell_account_and_month(void **state)
{
	char s[SELECTOR_SIZE];

	(void)state;
	records_selector(7, NOW_US, 'r', s);
	assert_string_equal(s, "pb7-202311r");
	records_selector(UINT32_MAX, NOW_US, 'e', s);
	assert_string_equal(s, "pb4294967295-202311e");
}

#define T(t) cmocka_unit_test(t)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_names_have_one_form),
		T(test_networks_contain_their_addresses_only),
		T(test_networks_with_mistakes_are_refused),
		T(test_expiry_is_a_span_or_a_date_in_the_future),
		T(test_apikey_matches_only_its_own_record),
		T(test_apikey_record_without_hash_matches_nothing),
		T(test_apikey_id_needs_the_whole_form),
		T(test_settings_of_a_subaccount_stand_before_the_accounts),
		T(test_settings_refuse_unknown_names_and_values),
		T(test_verdict_verified_domain_is_signed),
		T(test_verdict_domain_that_is_not_verified_is_unsigned),
		T(test_verdict_unsigned_allow_skips_the_check_and_still_signs),
		T(test_verdict_message_without_from_is_refused),
		T(test_verdict_key_limits_from),
		T(test_verdict_key_that_ended_is_refused),
		T(test_verdict_subaccount_must_exist_and_fit_the_key),
		T(test_verdict_plain_sender_needs_a_verified_domain_too),
		T(test_verdict_flags_class_and_pool),
		T(test_verdict_text_is_one_line),
		T(test_domain_is_verified_by_its_rsa_record),
		T(test_domain_fails_only_after_the_grace_time),
		T(test_domain_never_fails_by_what_cannot_be_told),
		T(test_domain_records_can_be_published),
		T(test_domain_selectors_tell_account_and_month),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
