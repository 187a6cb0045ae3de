#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "plan.h"

static const struct plan_host full = {
	.name = { "mx1.example.net", 15 },
	.pref = 10,
	.is_secure = true,
	.is_sts_refused = true,
	.tlsa_name = { "real.example.net", 16 },
	.tlsa_status = DNS_OK,
	.n_addresses = 2,
	.n_tlsa = 1,
	.addresses = { { 4, { 192, 0, 2, 1 } },
	    { 6, { 0x20, 1, 0x0d, 0xb8, [15] = 1 } } },
	.tlsa = { { 3, 1, 1, { "0123456789abcdef0123456789abcdef", 32 } } },
};

static void
test_plan_round_trip(void **state)
{
	const struct plan_host bare = { .name = STR("mx2"), .pref = 65535 };
	struct buf b = { 0 };
	struct plan_host h;
	struct str in;

	(void)state;
	plan_host_add(&b, &full);
	plan_host_add(&b, &bare);
	in = buf_str(&b);
	assert_true(plan_host_next(&in, &h));
	assert_true(str_eq(h.name, full.name));
	assert_int_equal(h.pref, 10);
	assert_true(h.is_secure);
	assert_true(h.is_sts_refused);
	assert_true(str_is(h.tlsa_name, "real.example.net"));
	assert_int_equal(h.n_addresses, 2);
	assert_int_equal(h.addresses[1].family, 6);
	assert_memory_equal(h.addresses[1].b, full.addresses[1].b, 16);
	assert_int_equal(h.n_tlsa, 1);
	assert_true(str_eq(h.tlsa[0].data, full.tlsa[0].data));
	assert_true(plan_host_next(&in, &h));
	assert_int_equal(h.pref, 65535);
	assert_int_equal(h.n_addresses, 0);
	assert_false(h.is_sts_refused);
	assert_int_equal(h.tlsa_name.len, 0);
	assert_false(plan_host_next(&in, &h));
	buf_fini(&b);
}

static void
test_plan_every_truncation_is_refused(void **state)
{
	struct buf b = { 0 };
	struct plan_host h = { .pref = 4711 };

	(void)state;
	plan_host_add(&b, &full);
	for (size_t n = 0; n < b.len; n++) {
		struct str in = { (const char *)b.p, n };

		assert_false(plan_host_next(&in, &h));
		assert_int_equal(in.len, n);
		assert_int_equal(h.pref, 4711);
	}
	buf_fini(&b);
}

static void
test_plan_too_many_addresses_are_refused(void **state)
{
	struct buf b = { 0 };
	struct plan_host h;
	struct str in;

	(void)state;
	plan_host_add(&b, &full);
	b.p[1 + 15 + 2 + 1 + 1] = PLAN_ADDRESSES_MAX + 1;
	buf_zero(&b, 1000);
	in = buf_str(&b);
	assert_false(plan_host_next(&in, &h));
	buf_fini(&b);
}

static void
test_plan_addresses_print(void **state)
{
	char text[46];

	(void)state;
	plan_address_print(&full.addresses[0], text);
	assert_string_equal(text, "192.0.2.1");
	plan_address_print(&full.addresses[1], text);
	assert_string_equal(text, "2001:db8::1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_round_trip),
		cmocka_unit_test(test_plan_every_truncation_is_refused),
		cmocka_unit_test(test_plan_too_many_addresses_are_refused),
		cmocka_unit_test(test_plan_addresses_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
