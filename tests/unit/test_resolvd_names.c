#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "address.h"
#include "mx.h"
#include "next_hop.h"
#include "resolvd_wire.h"
#include "site_key.h"
#include "tlsa.h"

#define OWN "mail.own.test"

/* ---- next hops ---------------------------------------------------------- */

static void
test_next_hop_domain_goes_by_mx(void **state)
{
	struct next_hop h;

	(void)state;
	assert_int_equal(next_hop_parse(STR("Example.COM"), &h), 0);
	assert_string_equal(h.name, "example.com");
	assert_true(h.has_mx);
	assert_int_equal(h.port, 0);
	assert_int_equal(next_hop_parse(STR("m\xc3\xbcnchen.test:26"), &h), 0);
	assert_string_equal(h.name, "xn--mnchen-3ya.test");
	assert_true(h.has_mx);
	assert_int_equal(h.port, 26);
}

static void
test_next_hop_brackets_mean_the_host_itself(void **state)
{
	struct next_hop h;

	(void)state;
	assert_int_equal(next_hop_parse(STR("[mx.test]:2525"), &h), 0);
	assert_string_equal(h.name, "mx.test");
	assert_false(h.has_mx);
	assert_false(h.is_address);
	assert_int_equal(h.port, 2525);
}

static void
test_next_hop_addresses_are_known_in_all_forms(void **state)
{
	static const char *const forms[] = { "[2001:db8::1]:25",
		"[IPv6:2001:DB8::1]", "2001:db8:0::1", "[2001:db8::1]" };
	struct next_hop h;

	(void)state;
	for (size_t i = 0; i < array_len(forms); i++) {
		assert_int_equal(next_hop_parse(str_of(forms[i]), &h), 0);
		assert_true(h.is_address);
		assert_string_equal(h.name, "2001:db8::1");
	}
	assert_int_equal(next_hop_parse(STR("[192.0.2.1]:587"), &h), 0);
	assert_string_equal(h.name, "192.0.2.1");
	assert_int_equal(h.port, 587);
}

static void
test_next_hop_malformed_ones_are_refused(void **state)
{
	static const char *const forms[] = { "", "[", "]", "[]", "[a.test",
		"a.test:", "a.test:0", "a.test:65536", "a.test:x", "a:b:c",
		"[a.test]25", "[a.test]:", "a test", "[[a.test]]",
		"1.2.3.4.5" };
	struct next_hop h;

	(void)state;
	for (size_t i = 0; i < array_len(forms); i++) {
		assert_int_equal(
		    next_hop_parse(str_of(forms[i]), &h), -EBADMSG);
	}
}

/* ---- MX ----------------------------------------------------------------- */

static void
read_mx(struct wire *w, struct mx *m)
{
	struct answer a;

	wire_answer(w, &a);
	mx_read(&a, "example.com", OWN, m);
	packet_fini(&a.packet);
}

static void
test_mx_hosts_are_sorted_and_stand_once(void **state)
{
	struct wire w;
	struct mx m;

	(void)state;
	wire_begin(&w, "example.com", PACKET_MX, 0);
	wire_mx(&w, 20, "a.test");
	wire_mx(&w, 10, "c.test");
	wire_mx(&w, 10, "b.test");
	wire_mx(&w, 30, "b.test");
	read_mx(&w, &m);
	assert_int_equal(m.status, DNS_OK);
	assert_int_equal(m.n, 3);
	assert_string_equal(m.hosts[0].name, "b.test");
	assert_string_equal(m.hosts[1].name, "c.test");
	assert_string_equal(m.hosts[2].name, "a.test");
	assert_false(m.is_implicit);
	mx_fini(&m);
}

static void
test_mx_single_root_means_no_mail(void **state)
{
	struct wire w;
	struct mx m;

	(void)state;
	wire_begin(&w, "example.com", PACKET_MX, 0);
	wire_mx(&w, 0, "");
	read_mx(&w, &m);
	assert_int_equal(m.status, DNS_NULL_MX);
	mx_fini(&m);
	wire_begin(&w, "example.com", PACKET_MX, 0);
	wire_mx(&w, 0, "");
	wire_mx(&w, 10, "a.test");
	read_mx(&w, &m);
	assert_int_equal(m.status, DNS_OK);
	assert_int_equal(m.n, 1);
	mx_fini(&m);
}

static void
test_mx_hosts_not_better_than_us_are_dropped(void **state)
{
	struct wire w;
	struct mx m;

	(void)state;
	wire_begin(&w, "example.com", PACKET_MX, 0);
	wire_mx(&w, 10, "a.test");
	wire_mx(&w, 20, "b.test");
	wire_mx(&w, 20, "Mail.Own.test");
	wire_mx(&w, 30, "c.test");
	read_mx(&w, &m);
	assert_int_equal(m.status, DNS_OK);
	assert_int_equal(m.n, 1);
	assert_string_equal(m.hosts[0].name, "a.test");
	mx_fini(&m);
	wire_begin(&w, "example.com", PACKET_MX, 0);
	wire_mx(&w, 10, OWN);
	wire_mx(&w, 10, "a.test");
	read_mx(&w, &m);
	assert_int_equal(m.status, DNS_LOOP);
	mx_fini(&m);
}

static void
test_mx_none_makes_the_domain_its_own_host(void **state)
{
	struct answer a;
	struct mx m;

	(void)state;
	wire_status(&a, ANSWER_NODATA);
	mx_read(&a, "example.com", OWN, &m);
	assert_int_equal(m.status, DNS_OK);
	assert_true(m.is_implicit);
	assert_string_equal(m.hosts[0].name, "example.com");
	mx_fini(&m);
	mx_read(&a, OWN, OWN, &m);
	assert_int_equal(m.status, DNS_LOOP);
	mx_fini(&m);
}

/* An outage or an attack must not look like a domain without MX. */
static void
test_mx_failed_and_malformed_answers_are_temporary(void **state)
{
	struct answer a;
	struct wire w;
	struct mx m;

	(void)state;
	wire_status(&a, ANSWER_TEMPORARY);
	mx_read(&a, "example.com", OWN, &m);
	assert_int_equal(m.status, DNS_TEMPORARY);
	assert_non_null(strstr(m.reason, "server failure"));
	mx_fini(&m);
	wire_begin(&w, "example.com", PACKET_MX, 0);
	wire_rr(&w, "example.com", PACKET_MX, 300, "\0", 1);
	read_mx(&w, &m);
	assert_int_equal(m.status, DNS_TEMPORARY);
	mx_fini(&m);
	wire_status(&a, ANSWER_NXDOMAIN);
	mx_read(&a, "example.com", OWN, &m);
	assert_int_equal(m.status, DNS_NXDOMAIN);
	mx_fini(&m);
}

static void
test_mx_names_that_are_no_hosts_are_skipped(void **state)
{
	struct wire w;
	struct mx m;

	(void)state;
	wire_begin(&w, "example.com", PACKET_MX, 0);
	wire_mx(&w, 10, "192.0.2.1");
	read_mx(&w, &m);
	assert_int_equal(m.status, DNS_NO_ADDRESS);
	mx_fini(&m);
}

static void
test_mx_takes_the_best_of_too_many(void **state)
{
	struct wire w;
	struct mx m;

	(void)state;
	wire_begin(&w, "example.com", PACKET_MX, 0);
	for (unsigned i = 0; i < 100; i++) {
		char name[] = { 'h', (char)('0' + i / 10), (char)('0' + i % 10),
			'.', 't', 'e', 's', 't', 0 };

		wire_mx(&w, (uint16_t)(1000 - i), name);
	}
	read_mx(&w, &m);
	assert_int_equal(m.n, PLAN_HOSTS_MAX);
	assert_string_equal(m.hosts[0].name, "h99.test");
	mx_fini(&m);
}

/* ---- sites and providers ------------------------------------------------ */

static void
test_site_is_the_same_for_the_same_hosts(void **state)
{
	static const struct mx_host a[] = { { 10, "mx1.test" },
		{ 10, "mx2.test" }, { 20, "mx3.test" } };
	static const struct mx_host b[] = { { 1, "mx1.test" },
		{ 1, "mx2.test" }, { 7, "mx3.test" } };
	static const struct mx_host c[] = { { 1, "mx1.test" },
		{ 2, "mx2.test" }, { 7, "mx3.test" } };
	char x[SITE_SIZE], y[SITE_SIZE];

	(void)state;
	site_key(a, 3, x);
	assert_string_equal(x, "mx1.test,mx2.test;mx3.test");
	site_key(b, 3, y);
	assert_string_equal(x, y);
	site_key(c, 3, y);
	assert_string_not_equal(x, y);
	site_key(a, 1, x);
	assert_string_equal(x, "mx1.test");
}

static void
test_site_of_many_hosts_is_short_and_tells_them_apart(void **state)
{
	struct mx_host h[8] = { 0 };
	char x[SITE_SIZE], y[SITE_SIZE];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		h[i].pref = (uint16_t)i;
		memset(h[i].name, 'a' + (int)i, 60);
	}
	site_key(h, 8, x);
	assert_int_equal(strlen(x), 60 + 1 + 16);
	h[7].name[0] = 'x';
	site_key(h, 8, y);
	assert_string_not_equal(x, y);
	memset(h[0].name, 'a', DOMAIN_NAME_MAX);
	site_key(h, 8, x);
	assert_true(strlen(x) < SITE_SIZE);
}

static void
test_provider_is_what_could_be_registered(void **state)
{
	static const char *const cases[][2] = {
		{ "aspmx.l.google.com", "google.com" },
		{ "mx.example.co.uk", "example.co.uk" },
		{ "example.co.uk", "example.co.uk" },
		{ "co.uk", "co.uk" },
		{ "mx-ha02.web.de", "web.de" },
		{ "mfsmax.docomo.ne.jp", "docomo.ne.jp" },
		{ "localhost", "localhost" },
		{ "192.0.2.1", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "a.b.co.com", "co.com" },
	};
	char dst[SITE_SIZE];

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		site_provider(cases[i][0], dst);
		assert_string_equal(dst, cases[i][1]);
	}
}

/* ---- addresses ---------------------------------------------------------- */

static void
make(struct answer *a, const char *first, const char *second)
{
	struct wire w;

	wire_begin(&w, "h.test",
	    strchr(first, ':') != NULL ? PACKET_AAAA : PACKET_A, 0);
	wire_a(&w, first);
	if (second != NULL) {
		wire_a(&w, second);
	}
	wire_answer(&w, a);
}

static void
test_address_takes_both_families_in_turn(void **state)
{
	struct address x = { .name = "h.test" };
	struct answer a, aaaa;
	char text[46];

	(void)state;
	make(&a, "192.0.2.1", "192.0.2.2");
	make(&aaaa, "2001:db8::1", NULL);
	a.is_secure = true;
	address_read(&x, &a, &aaaa);
	assert_int_equal(x.status, DNS_OK);
	assert_int_equal(x.n, 3);
	assert_false(x.is_secure);
	plan_address_print(&x.list[1], text);
	assert_string_equal(text, "2001:db8::1");
	aaaa.is_secure = true;
	address_read(&x, &a, &aaaa);
	assert_true(x.is_secure);
	packet_fini(&a.packet);
	packet_fini(&aaaa.packet);
}

/* Who drops one answer must not turn off DANE, or the other family. */
static void
test_address_of_one_family_suffices(void **state)
{
	struct address x = { .name = "h.test" };
	struct answer a, aaaa;

	(void)state;
	make(&a, "192.0.2.1", NULL);
	a.is_secure = true;
	wire_status(&aaaa, ANSWER_TEMPORARY);
	address_read(&x, &a, &aaaa);
	assert_int_equal(x.status, DNS_OK);
	assert_true(x.is_secure);
	assert_int_equal(x.ttl_s, TTL_TEMPORARY_S);
	packet_fini(&a.packet);
}

static void
test_address_failures_are_told_apart(void **state)
{
	struct address x = { .name = "h.test" };
	struct answer a, aaaa;

	(void)state;
	wire_status(&a, ANSWER_NODATA);
	wire_status(&aaaa, ANSWER_TEMPORARY);
	address_read(&x, &a, &aaaa);
	assert_int_equal(x.status, DNS_TEMPORARY);
	wire_status(&aaaa, ANSWER_NODATA);
	address_read(&x, &a, &aaaa);
	assert_int_equal(x.status, DNS_NO_ADDRESS);
	wire_status(&a, ANSWER_NXDOMAIN);
	wire_status(&aaaa, ANSWER_NXDOMAIN);
	address_read(&x, &a, &aaaa);
	assert_int_equal(x.status, DNS_NXDOMAIN);
}

static void
test_address_reverse_names_follow_the_rfcs(void **state)
{
	struct plan_address a;
	char dst[ADDRESS_REVERSE_SIZE];

	(void)state;
	assert_int_equal(address_parse(STR("192.0.2.1"), &a), 0);
	address_reverse(&a, dst);
	assert_string_equal(dst, "1.2.0.192.in-addr.arpa");
	assert_int_equal(address_parse(STR("4321:0:1:2:3:4:567:89ab"), &a), 0);
	address_reverse(&a, dst);
	assert_string_equal(dst,
	    "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0."
	    "1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa");
}

/* ---- TLSA --------------------------------------------------------------- */

static void
test_tlsa_keeps_well_formed_records_of_validated_answers(void **state)
{
	uint8_t rdata[3 + 32] = { 3, 1, 1 };
	struct plan_host h = { 0 };
	struct answer a;
	struct wire w;

	(void)state;
	wire_begin(&w, "_25._tcp.h.test", PACKET_TLSA, 0);
	wire_rr(&w, w.name, PACKET_TLSA, 5, rdata, sizeof(rdata));
	wire_rr(&w, w.name, PACKET_TLSA, 5, rdata, sizeof(rdata) - 1);
	wire_rr(&w, w.name, PACKET_TLSA, 5, rdata, 3);
	wire_answer(&w, &a);
	tlsa_read(&a, &h);
	assert_int_equal(h.tlsa_status, DNS_NXDOMAIN);
	assert_int_equal(h.n_tlsa, 0);
	a.is_secure = true;
	tlsa_read(&a, &h);
	assert_int_equal(h.tlsa_status, DNS_OK);
	assert_int_equal(h.n_tlsa, 1);
	assert_int_equal(h.tlsa[0].usage, 3);
	assert_int_equal(h.tlsa[0].data.len, 32);
	packet_fini(&a.packet);
}

static void
test_tlsa_malformed_or_failed_is_not_none(void **state)
{
	struct plan_host h = { 0 };
	struct answer a;
	struct wire w;

	(void)state;
	wire_begin(&w, "_25._tcp.h.test", PACKET_TLSA, 0);
	wire_rr(&w, w.name, PACKET_TLSA, 5, "\3", 1);
	wire_answer(&w, &a);
	a.is_secure = true;
	tlsa_read(&a, &h);
	assert_int_equal(h.tlsa_status, DNS_OK);
	assert_int_equal(h.n_tlsa, 0);
	packet_fini(&a.packet);
	wire_status(&a, ANSWER_TEMPORARY);
	tlsa_read(&a, &h);
	assert_int_equal(h.tlsa_status, DNS_TEMPORARY);
	wire_status(&a, ANSWER_NODATA);
	tlsa_read(&a, &h);
	assert_int_equal(h.tlsa_status, DNS_NXDOMAIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_hop_domain_goes_by_mx),
		cmocka_unit_test(test_next_hop_brackets_mean_the_host_itself),
		cmocka_unit_test(
		    test_next_hop_addresses_are_known_in_all_forms),
		cmocka_unit_test(test_next_hop_malformed_ones_are_refused),
		cmocka_unit_test(test_mx_hosts_are_sorted_and_stand_once),
		cmocka_unit_test(test_mx_single_root_means_no_mail),
		cmocka_unit_test(test_mx_hosts_not_better_than_us_are_dropped),
		cmocka_unit_test(test_mx_none_makes_the_domain_its_own_host),
		cmocka_unit_test(
		    test_mx_failed_and_malformed_answers_are_temporary),
		cmocka_unit_test(test_mx_names_that_are_no_hosts_are_skipped),
		cmocka_unit_test(test_mx_takes_the_best_of_too_many),
		cmocka_unit_test(test_site_is_the_same_for_the_same_hosts),
		cmocka_unit_test(
		    test_site_of_many_hosts_is_short_and_tells_them_apart),
		cmocka_unit_test(test_provider_is_what_could_be_registered),
		cmocka_unit_test(test_address_takes_both_families_in_turn),
		cmocka_unit_test(test_address_of_one_family_suffices),
		cmocka_unit_test(test_address_failures_are_told_apart),
		cmocka_unit_test(test_address_reverse_names_follow_the_rfcs),
		cmocka_unit_test(
		    test_tlsa_keeps_well_formed_records_of_validated_answers),
		cmocka_unit_test(test_tlsa_malformed_or_failed_is_not_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
