/*
 * Learned TLS: what makes a site learned, what keeps it so, and what ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "clock.h"
#include "tls_sites.h"

#define DAY (86400 * US_PER_S)
#define T0 (20000 * DAY)
#define SITE STR("mx1.example,mx2.example;mx3.example")
#define OURS STR("192.0.2.1")

static const struct tls_learn rule = {
	.is_on = true, .successes = 4, .days = 2, .sources = 2, .limit = 20
};

static struct tls_sites *t;

static int
setup(void **state)
{
	(void)state;
	t = tls_sites_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tls_sites_free(&t);
	return 0;
}

static enum tls_site_change
success(struct str name, struct str source, uint64_t now_us)
{
	return tls_sites_success(t, &rule, name, source, now_us);
}

static void
learn(struct str name)
{
	(void)success(name, OURS, T0);
	(void)success(name, OURS, T0);
	(void)success(name, STR("192.0.2.2"), T0 + DAY);
	assert_int_equal(success(name, OURS, T0 + DAY), TLS_SITE_PROMOTED);
	assert_true(tls_sites_is_required(t, name));
}

static void
test_learned_after_successes_on_days_from_sources(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		(void)success(SITE, OURS, T0);
	}
	assert_false(tls_sites_is_required(t, SITE)); /* one day, one source */
	(void)success(SITE, OURS, T0 + DAY);
	assert_false(tls_sites_is_required(t, SITE));
	assert_int_equal(
	    success(SITE, STR("192.0.2.2"), T0 + DAY), TLS_SITE_PROMOTED);
	assert_true(tls_sites_is_required(t, SITE));
}

static void
test_a_delivery_in_clear_begins_anew(void **state)
{
	(void)state;
	(void)success(SITE, OURS, T0);
	(void)success(SITE, STR("192.0.2.2"), T0);
	(void)success(SITE, OURS, T0 + DAY);
	assert_int_equal(tls_sites_clear(t, SITE), TLS_SITE_CHANGED);
	assert_int_equal(success(SITE, OURS, T0 + DAY), TLS_SITE_CHANGED);
	assert_int_equal(tls_sites_find(t, SITE)->successes, 1);
	assert_false(tls_sites_is_required(t, SITE));
}

static void
test_clear_at_a_learned_site_changes_nothing(void **state)
{
	(void)state;
	learn(SITE);
	assert_int_equal(tls_sites_clear(t, SITE), TLS_SITE_SAME);
	assert_true(tls_sites_is_required(t, SITE));
}

static void
test_a_violation_is_told_once_and_its_end_too(void **state)
{
	(void)state;
	learn(SITE);
	assert_int_equal(tls_sites_violation(t, SITE, T0), TLS_SITE_VIOLATED);
	assert_int_equal(tls_sites_violation(t, SITE, T0), TLS_SITE_SAME);
	assert_true(tls_sites_is_required(t, SITE));
	assert_int_equal(success(SITE, OURS, T0 + DAY), TLS_SITE_RECOVERED);
	assert_int_equal(tls_sites_violation(t, SITE, T0), TLS_SITE_VIOLATED);
	assert_int_equal(tls_sites_find(t, SITE)->violations, 3);
}

static void
test_a_pardoned_site_learns_anew(void **state)
{
	(void)state;
	learn(SITE);
	tls_sites_pardon(t, SITE);
	assert_false(tls_sites_is_required(t, SITE));
	assert_int_equal(tls_sites_violation(t, SITE, T0), TLS_SITE_SAME);
	learn(SITE);
}

static void
test_another_set_of_hosts_keeps_what_was_learned(void **state)
{
	static const struct str shared = STR("mx0.example;mx3.example");

	(void)state;
	assert_false(tls_sites_is_required(t, shared));
	learn(SITE);
	assert_true(tls_sites_is_required(t, shared));
	assert_false(tls_sites_is_required(t, STR("mx4.example")));
	(void)success(shared, OURS, T0);
	tls_sites_pardon(t, SITE);
	assert_true(tls_sites_is_required(t, shared)); /* its own by now */
	tls_sites_pardon(t, shared);
	assert_false(tls_sites_is_required(t, shared));
	assert_false(tls_sites_is_required(t, STR("mx3.example")));
}

static void
test_a_pardon_of_an_inherited_site_holds(void **state)
{
	static const struct str other = STR("mx1.example+0123456789abcdef");

	(void)state;
	learn(SITE);
	assert_true(tls_sites_is_required(t, other));
	tls_sites_pardon(t, other);
	assert_false(tls_sites_is_required(t, other));
	assert_true(tls_sites_is_required(t, SITE));
}

static void
test_a_pinned_site_needs_no_evidence(void **state)
{
	(void)state;
	tls_sites_pin(t, SITE, T0);
	assert_true(tls_sites_is_required(t, SITE));
	assert_int_equal(tls_sites_clear(t, SITE), TLS_SITE_SAME);
	assert_true(tls_sites_is_required(t, SITE));
}

static void
test_switched_off_nothing_is_learned(void **state)
{
	const struct tls_learn off = { .limit = 10 };

	(void)state;
	assert_int_equal(
	    tls_sites_success(t, &off, SITE, OURS, T0), TLS_SITE_SAME);
	assert_null(tls_sites_find(t, SITE));
}

static void
test_what_is_remembered_is_bounded_and_the_learned_stay(void **state)
{
	char name[] = "mx00.other";

	(void)state;
	learn(SITE);
	for (int i = 0; i < 40; i++) {
		name[2] = (char)('0' + i / 10);
		name[3] = (char)('0' + i % 10);
		(void)success(str_of(name), OURS, T0 + (i < 20 ? 0 : 9 * DAY));
	}
	assert_true(tls_sites_is_required(t, SITE));
	assert_null(tls_sites_find(t, STR("mx00.other")));
	assert_non_null(tls_sites_find(t, STR("mx21.other")));
}

static void
test_restored_is_as_it_was(void **state)
{
	struct tls_sites *other = tls_sites_new();
	const struct tls_site *s;

	(void)state;
	learn(SITE);
	(void)tls_sites_violation(t, SITE, T0);
	tls_sites_restore(other, SITE, tls_sites_find(t, SITE));
	s = tls_sites_find(other, SITE);
	assert_int_equal(s->state, TLS_SITE_LEARNED);
	assert_int_equal(s->successes, 4);
	assert_int_equal(s->n_sources, 2);
	assert_true(s->is_violated);
	assert_true(tls_sites_is_required(other, STR("mx2.example")));
	tls_sites_free(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_learned_after_successes_on_days_from_sources),
		TEST(test_a_delivery_in_clear_begins_anew),
		TEST(test_clear_at_a_learned_site_changes_nothing),
		TEST(test_a_violation_is_told_once_and_its_end_too),
		TEST(test_a_pardoned_site_learns_anew),
		TEST(test_another_set_of_hosts_keeps_what_was_learned),
		TEST(test_a_pardon_of_an_inherited_site_holds),
		TEST(test_a_pinned_site_needs_no_evidence),
		TEST(test_switched_off_nothing_is_learned),
		TEST(test_what_is_remembered_is_bounded_and_the_learned_stay),
		TEST(test_restored_is_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
