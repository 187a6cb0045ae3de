#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "clock.h"
#include "plan.h"
#include "records.h"
#include "rotation.h"

#define DAY_US (86400ULL * US_PER_S)
#define NOW_US (1700000000ULL * US_PER_S)

static const struct rotation_times times = { .wait_us = DAY_US,
	.keep_us = 7 * DAY_US };

static struct schema_domain
verified(void)
{
	return (struct schema_domain){ .account = 7,
		.name = STR("example.com"),
		.state = DOMAIN_VERIFIED,
		.created_us = NOW_US - 100 * DAY_US,
		.verified_us = NOW_US - 99 * DAY_US,
		.selector1 = STR("old-r"),
		.record1 = STR("p=OLD1"),
		.selector2 = STR("old-e"),
		.record2 = STR("p=OLD2") };
}

static struct schema_domain
begun(void)
{
	struct schema_domain d = verified();

	rotation_begin(&d, STR("new-r"), STR("p=NEW1"), STR("new-e"),
	    STR("p=NEW2"), NOW_US);
	return d;
}

/* The DNS says so of both records of the other keys. */
static bool
see(struct schema_domain *d, enum check_status status, uint64_t now_us)
{
	const struct ipc_dkim_rep rep = { .dkim1 = (uint8_t)status,
		.dkim2 = (uint8_t)status };

	return rotation_judge(d, &rep, &times, now_us);
}

static void
test_rotation_next_keys_sign_after_they_were_seen_long_enough(void **state)
{
	struct schema_domain d = begun();

	(void)state;
	assert_int_equal(d.rotation, ROTATION_PUBLISH);
	assert_false(see(&d, CHECK_MISSING, NOW_US + 30 * DAY_US));
	assert_int_equal(rotation_due(&d, &times), 0);
	assert_true(see(&d, CHECK_OK, NOW_US + 31 * DAY_US));
	assert_int_equal(d.rotation, ROTATION_WAIT);
	assert_int_equal(rotation_due(&d, &times), NOW_US + 32 * DAY_US);
	assert_false(see(&d, CHECK_OK, NOW_US + 32 * DAY_US - 1));
	assert_true(str_is(d.selector1, "old-r"));
	assert_true(see(&d, CHECK_OK, NOW_US + 32 * DAY_US));
	assert_int_equal(d.rotation, ROTATION_KEEP);
	assert_true(str_is(d.selector1, "new-r"));
	assert_true(str_is(d.record1, "p=NEW1"));
	assert_true(str_is(d.selector2, "new-e"));
	assert_true(str_is(d.other1, "old-r"));
	assert_true(str_is(d.other_record2, "p=OLD2"));
	assert_int_equal(d.rotated_us, NOW_US + 32 * DAY_US);
	assert_int_equal(d.verified_us, verified().verified_us);
}

static void
test_rotation_time_begins_again_when_the_record_vanishes(void **state)
{
	struct schema_domain d = begun();

	(void)state;
	assert_true(see(&d, CHECK_OK, NOW_US));
	assert_true(see(&d, CHECK_WRONG, NOW_US + DAY_US / 2));
	assert_int_equal(d.rotation, ROTATION_PUBLISH);
	assert_true(see(&d, CHECK_OK, NOW_US + DAY_US));
	assert_false(see(&d, CHECK_OK, NOW_US + DAY_US * 3 / 2));
	assert_int_equal(d.rotation, ROTATION_WAIT);
	assert_true(see(&d, CHECK_OK, NOW_US + 2 * DAY_US));
	assert_int_equal(d.rotation, ROTATION_KEEP);
}

static void
test_rotation_never_moves_by_what_cannot_be_told(void **state)
{
	struct schema_domain d = begun();

	(void)state;
	assert_false(see(&d, CHECK_TEMPORARY, NOW_US));
	assert_true(see(&d, CHECK_OK, NOW_US));
	assert_false(see(&d, CHECK_TEMPORARY, NOW_US + 2 * DAY_US));
	assert_int_equal(d.rotation, ROTATION_WAIT);
	assert_true(see(&d, CHECK_OK, NOW_US + 2 * DAY_US));
	assert_int_equal(d.rotation, ROTATION_KEEP);
}

static void
test_rotation_hurries_when_the_record_in_use_is_gone(void **state)
{
	struct schema_domain d = begun();

	(void)state;
	d.dkim1_status = CHECK_MISSING;
	d.failing_us = NOW_US;
	assert_true(see(&d, CHECK_OK, NOW_US + 1));
	assert_int_equal(d.rotation, ROTATION_KEEP);
	assert_int_equal(d.failing_us, 0);
	assert_int_equal(d.dkim1_status, CHECK_OK);
	assert_int_equal(d.other1_status, CHECK_MISSING);

	d = begun();
	d.state = DOMAIN_FAILED;
	assert_true(see(&d, CHECK_OK, NOW_US + 1));
	assert_int_equal(d.state, DOMAIN_VERIFIED);
	assert_int_equal(d.verified_us, NOW_US + 1);
}

static void
test_rotation_last_keys_go_after_they_were_kept(void **state)
{
	struct schema_domain d = begun();

	(void)state;
	assert_true(see(&d, CHECK_OK, NOW_US));
	assert_true(see(&d, CHECK_OK, NOW_US + DAY_US));
	assert_false(
	    rotation_is_kept_enough(&d, &times, NOW_US + 8 * DAY_US - 1));
	assert_true(rotation_is_kept_enough(&d, &times, NOW_US + 8 * DAY_US));
	/* A clock that is put back ends nothing early. */
	assert_false(rotation_is_kept_enough(&d, &times, NOW_US - DAY_US));
	assert_false(see(&d, CHECK_MISSING, NOW_US + 2 * DAY_US));
	assert_int_equal(d.rotation, ROTATION_KEEP);
	rotation_release(&d, NOW_US + 8 * DAY_US);
	assert_int_equal(d.rotation, ROTATION_REMOVE);
	assert_false(see(&d, CHECK_OK, NOW_US + 9 * DAY_US));
	assert_true(see(&d, CHECK_MISSING, NOW_US + 10 * DAY_US));
	assert_int_equal(d.rotation, ROTATION_NONE);
	assert_int_equal(d.other1.len, 0);
	assert_true(str_is(d.selector1, "new-r"));
}

static void
test_rotation_is_one_at_a_time_of_verified_domains(void **state)
{
	struct schema_domain d = verified();

	(void)state;
	assert_null(rotation_obstacle(&d));
	d.state = DOMAIN_PENDING;
	assert_non_null(rotation_obstacle(&d));
	d = begun();
	assert_non_null(rotation_obstacle(&d));
	assert_true(see(&d, CHECK_OK, NOW_US));
	assert_non_null(rotation_obstacle(&d));
	assert_true(see(&d, CHECK_OK, NOW_US + DAY_US));
	assert_non_null(rotation_obstacle(&d));
	rotation_release(&d, NOW_US + 8 * DAY_US);
	assert_null(rotation_obstacle(&d));
}

static void
test_rotation_schedule_counts_from_when_the_keys_began(void **state)
{
	struct rotation_times t = times;
	struct schema_domain d = verified();

	(void)state;
	assert_false(rotation_is_wanted(&d, &t, NOW_US + 9999 * DAY_US));
	t.after_us = 180 * DAY_US;
	assert_false(rotation_is_wanted(&d, &t, NOW_US + 80 * DAY_US - 1));
	assert_true(rotation_is_wanted(&d, &t, NOW_US + 80 * DAY_US));
	d.rotated_us = NOW_US;
	assert_false(rotation_is_wanted(&d, &t, NOW_US + 180 * DAY_US - 1));
	assert_true(rotation_is_wanted(&d, &t, NOW_US + 180 * DAY_US));
	d.failing_us = NOW_US;
	assert_false(rotation_is_wanted(&d, &t, NOW_US + 180 * DAY_US));
	d.failing_us = 0;
	d.is_rotate_set = 1;
	assert_false(rotation_is_wanted(&d, &t, NOW_US + 9999 * DAY_US));
	d.rotate_after_us = DAY_US;
	assert_true(rotation_is_wanted(&d, &t, NOW_US + DAY_US));
}

static void
test_rotation_given_up_before_the_next_keys_sign_deletes_them(void **state)
{
	struct schema_domain d = begun();

	(void)state;
	assert_false(rotation_is_kept_enough(&d, &times, NOW_US));
	assert_null(rotation_cancel(&d, NOW_US));
	assert_int_equal(d.rotation, ROTATION_CANCEL);
	assert_true(rotation_is_kept_enough(&d, &times, NOW_US));
	/* Published or not, they never sign. */
	d.failing_us = NOW_US;
	assert_false(see(&d, CHECK_OK, NOW_US + 9 * DAY_US));
	assert_true(str_is(d.selector1, "old-r"));
	assert_true(str_is(d.other1, "new-r"));
	assert_non_null(rotation_obstacle(&d));
	assert_non_null(rotation_cancel(&d, NOW_US));
	rotation_release(&d, NOW_US);
	assert_non_null(rotation_cancel(&d, NOW_US));
	assert_true(see(&d, CHECK_MISSING, NOW_US + 9 * DAY_US));
	assert_int_equal(d.rotation, ROTATION_NONE);
	assert_non_null(rotation_cancel(&d, NOW_US));
}

static void
test_rotation_given_up_afterwards_lets_the_last_keys_sign_again(void **state)
{
	struct schema_domain d = begun();

	(void)state;
	d.dkim1_status = CHECK_OK;
	assert_true(see(&d, CHECK_OK, NOW_US));
	assert_true(see(&d, CHECK_OK, NOW_US + DAY_US));
	assert_false(see(&d, CHECK_MISSING, NOW_US + DAY_US));
	assert_non_null(rotation_cancel(&d, NOW_US + DAY_US));
	assert_true(str_is(d.selector1, "new-r"));
	assert_false(see(&d, CHECK_OK, NOW_US + DAY_US));
	assert_null(rotation_cancel(&d, NOW_US + 6 * DAY_US));
	assert_true(str_is(d.selector1, "old-r"));
	assert_true(str_is(d.record2, "p=OLD2"));
	/* Mail signed by those given up is verified later, too. */
	assert_int_equal(d.rotation, ROTATION_KEEP);
	assert_true(str_is(d.other1, "new-r"));
	assert_int_equal(rotation_due(&d, &times), NOW_US + 13 * DAY_US);
}

static void
test_rotation_given_up_is_not_begun_again_by_the_schedule(void **state)
{
	struct rotation_times t = times;
	struct schema_domain d = begun();

	(void)state;
	t.after_us = 90 * DAY_US; /* its keys are older */
	assert_null(rotation_cancel(&d, NOW_US));
	rotation_release(&d, NOW_US);
	assert_false(rotation_is_wanted(&d, &t, NOW_US + 90 * DAY_US - 1));
	assert_true(rotation_is_wanted(&d, &t, NOW_US + 90 * DAY_US));
}

static void
test_rotation_selectors_are_never_used_twice(void **state)
{
	struct schema_domain d = verified();
	char first[SELECTOR_SIZE];
	char second[SELECTOR_SIZE];

	(void)state;
	rotation_selector(&d, NOW_US, 'r', first);
	assert_string_equal(first, "pb7-202311-2r");
	rotation_begin(&d, str_of(first), STR(""), STR(""), STR(""), NOW_US);
	rotation_selector(&d, NOW_US, 'r', second);
	assert_string_equal(second, "pb7-202311-3r");
	d.account = UINT32_MAX;
	d.rotations = UINT32_MAX;
	rotation_selector(&d, NOW_US, 'e', second);
	assert_int_equal(second[strlen(second) - 1], 'e');
}

static void
test_rotation_is_shown_among_the_records(void **state)
{
	const struct records_site site = { "b.test", "mx.test", "" };
	static const char *const purposes[] = { [ROTATION_NONE] = "bounce",
		[ROTATION_PUBLISH] = "dkim-next",
		[ROTATION_WAIT] = "dkim-next",
		[ROTATION_KEEP] = "dkim-last",
		[ROTATION_REMOVE] = "dkim-remove",
		[ROTATION_CANCEL] = "dkim-remove" };

	(void)state;
	for (uint8_t i = 0; i < array_len(purposes); i++) {
		struct schema_domain d = begun();
		struct record r[RECORDS_MAX];
		size_t n;

		d.rotation = i;
		n = records_of(&d, &site, r);
		assert_int_equal(n, i == ROTATION_NONE ? 6 : 8);
		assert_string_equal(r[3].purpose, purposes[i]);
		records_fini(r, n);
	}
}

#define T(t) cmocka_unit_test(t)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_rotation_next_keys_sign_after_they_were_seen_long_enough),
		T(test_rotation_time_begins_again_when_the_record_vanishes),
		T(test_rotation_never_moves_by_what_cannot_be_told),
		T(test_rotation_hurries_when_the_record_in_use_is_gone),
		T(test_rotation_last_keys_go_after_they_were_kept),
		T(test_rotation_is_one_at_a_time_of_verified_domains),
		T(test_rotation_schedule_counts_from_when_the_keys_began),
		T(test_rotation_given_up_before_the_next_keys_sign_deletes_them),
		T(test_rotation_given_up_afterwards_lets_the_last_keys_sign_again),
		T(test_rotation_given_up_is_not_begun_again_by_the_schedule),
		T(test_rotation_selectors_are_never_used_twice),
		T(test_rotation_is_shown_among_the_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
