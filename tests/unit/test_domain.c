#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "attr.h"
#include "domain.h"

#define L63 "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddd"

static bool
is_valid(const char *s, unsigned flags)
{
	return domain_is_valid(s, strlen(s), flags);
}

static void
test_domain_takes_letters_digits_and_hyphens(void **state)
{
	(void)state;
	assert_true(is_valid("a", 0));
	assert_true(is_valid("xn--mnchen-3ya.example", 0));
	assert_true(is_valid("3com.com", 0));
	assert_true(is_valid("1.2.3.4a", 0));
	assert_true(is_valid(L63 ".example", 0));
}

static void
test_domain_refuses_what_is_no_name(void **state)
{
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "-a",
		"a-", "a.-b", "a b", "a_b", "a\n", "a/b", "1.2.3.4", "12",
		"a\xc3\xa4", "x" L63 ".example" };

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_false(is_valid(bad[i], 0));
	}
	assert_false(domain_is_valid("a\0b", 3, 0));
}

static void
test_domain_takes_underscores_only_when_asked(void **state)
{
	(void)state;
	assert_false(is_valid("_dmarc.example.org", 0));
	assert_true(is_valid("_dmarc.example.org", DOMAIN_UNDERSCORE));
}

static void
test_domain_ends_at_253_bytes(void **state)
{
	const char *max = L63 "." L63 "." L63 "." L63;

	(void)state;
	assert_false(domain_is_valid(max, 254, 0));
	assert_true(domain_is_valid(max + 2, 253, 0));
}

static void
assert_ascii(const char *s, const char *want)
{
	char out[DOMAIN_NAME_MAX + 1];

	assert_int_equal(
	    domain_to_ascii(s, strlen(s), 0, out, sizeof(out)), strlen(want));
	assert_string_equal(out, want);
}

static void
test_domain_to_ascii_turns_u_labels_into_a_labels(void **state)
{
	(void)state;
	assert_ascii("M\xc3\xbcnchen.Example", "xn--mnchen-3ya.example");
	assert_ascii("fa\xc3\x9f.de", "xn--fa-hia.de"); /* non-transitional */
	assert_ascii("EXAMPLE.org", "example.org");
}

static void
test_domain_to_ascii_refuses_what_libidn2_lets_pass(void **state)
{
	char out[DOMAIN_NAME_MAX + 1];

	(void)state;
	assert_int_equal(
	    domain_to_ascii("a_\xc3\xbc", 4, 0, out, sizeof(out)), -EBADMSG);
	assert_int_equal(
	    domain_to_ascii("\xc3\xbc..b", 5, 0, out, sizeof(out)), -EBADMSG);
	assert_int_equal(
	    domain_to_ascii("\xc3\xbc b", 4, 0, out, sizeof(out)), -EBADMSG);
	assert_int_equal(
	    domain_to_ascii("\xc3", 1, 0, out, sizeof(out)), -EBADMSG);
	assert_int_equal(
	    domain_to_ascii("\xc3\xbc\0b", 4, 0, out, sizeof(out)), -EBADMSG);
	assert_int_equal(domain_to_ascii("abc", 3, 0, out, 3), -ENOSPC);
	assert_int_equal(domain_to_ascii("\xc3\xbc.de", 5, 0, out, 8), -ENOSPC);
}

static bool
is_within(const char *name, const char *parent)
{
	return domain_is_within(name, strlen(name), parent, strlen(parent));
}

static void
test_domain_is_within_itself_and_its_parents_only(void **state)
{
	(void)state;
	assert_true(is_within("example.org", "Example.ORG"));
	assert_true(is_within("a.b.example.org", "example.org"));
	assert_false(is_within("badexample.org", "example.org"));
	assert_false(is_within("example.org", "a.example.org"));
	assert_false(is_within(".example.org", "example.org"));
	assert_false(is_within("example.org", ""));
}

static void
test_domain_literal_is_v4_plain_and_v6_tagged(void **state)
{
	struct domain_ip ip;

	(void)state;
	assert_int_equal(domain_literal_parse("[192.0.2.1]", 11, &ip), 0);
	assert_int_equal(ip.family, AF_INET);
	assert_memory_equal(ip.addr, "\xc0\x00\x02\x01", 4);
	assert_int_equal(domain_literal_parse("[IPv6:::1]", 10, &ip), 0);
	assert_int_equal(ip.family, AF_INET6);
	assert_int_equal(ip.addr[15], 1);
	assert_int_equal(domain_literal_parse("[::1]", 5, &ip), -EBADMSG);
	assert_int_equal(domain_literal_parse("[]", 2, &ip), -EBADMSG);
	assert_int_equal(domain_literal_parse("[", 1, &ip), -EBADMSG);
	assert_int_equal(domain_ip_parse("1.2.3.4\0", 8, &ip), -EBADMSG);
	assert_int_equal(domain_ip_parse("01.2.3.4", 8, &ip), -EBADMSG);
	assert_int_equal(domain_ip_parse("fe80::1%1", 9, &ip), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domain_takes_letters_digits_and_hyphens),
		cmocka_unit_test(test_domain_refuses_what_is_no_name),
		cmocka_unit_test(test_domain_takes_underscores_only_when_asked),
		cmocka_unit_test(test_domain_ends_at_253_bytes),
		cmocka_unit_test(
		    test_domain_to_ascii_turns_u_labels_into_a_labels),
		cmocka_unit_test(
		    test_domain_to_ascii_refuses_what_libidn2_lets_pass),
		cmocka_unit_test(
		    test_domain_is_within_itself_and_its_parents_only),
		cmocka_unit_test(test_domain_literal_is_v4_plain_and_v6_tagged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
