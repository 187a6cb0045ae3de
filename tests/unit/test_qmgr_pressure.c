#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "core_view.h"
#include "fake_loop.h"
#include "log.h"
#include "qmgr_world.h"

/* What smtpd hears when there is too much mail, of an account or of all. */

static void
send(uint32_t account, unsigned n)
{
	while (n-- > 0) {
		(void)world_mail(
		    w.seg, &(struct world_mail){ .account = account });
	}
	world_sync(w.seg, false);
}

static void
pass_s(unsigned n)
{
	fake_loop_pass(n * US_PER_S);
	world_settle();
}

static void
test_a_full_account_is_told_and_others_are_not_concerned(void **state)
{
	(void)state;
	world_tenant(1, 20);
	world_tenant(2, 20);
	send(1, 19);
	send(2, 3);
	assert_int_equal(w.told_full, 0);
	send(1, 30);
	assert_true(w.is_full[1]);
	assert_false(w.is_full[2]);
	assert_int_equal(w.told_full, 1);
	assert_int_equal(w.pressure, PRESSURE_NONE);
}

static void
test_a_full_account_has_room_again_when_a_tenth_is_free(void **state)
{
	struct event_alert e;

	(void)state;
	world_tenant(1, 20);
	send(1, 20);
	assert_true(w.is_full[1]);
	assert_true(world_last_event(EVENT_alert, &e));
	assert_true(str_is(e.name, "queue"));
	assert_int_equal(e.account, 1);
	assert_int_equal(e.is_over, 0);
	world_result(&w.jobs[0], 0, OUTCOME_DELIVERED, "250 ok");
	assert_true(w.is_full[1]);
	world_result(&w.jobs[1], 0, OUTCOME_DELIVERED, "250 ok");
	pass_s(1);
	assert_false(w.is_full[1]);
	assert_int_equal(w.told_full, 2);
	assert_true(world_last_event(EVENT_alert, &e));
	assert_int_equal(e.is_over, 1);
	assert_int_equal(world_events(EVENT_alert), 2);
}

static void
test_deliveries_of_a_full_account_go_on(void **state)
{
	(void)state;
	world_tenant(1, 10);
	send(1, 30);
	assert_true(w.is_full[1]);
	while (world_open_jobs() != 0) {
		world_finish(OUTCOME_DELIVERED);
	}
	assert_int_equal(world_queued(), 0);
	assert_false(w.is_full[1]);
}

static void
test_a_new_smtpd_hears_who_is_full(void **state)
{
	(void)state;
	world_tenant(1, 5);
	send(1, 5);
	send(2, 5);
	world_smtpd_restarts();
	assert_true(w.is_full[1]);
	assert_false(w.is_full[2]);
}

static void
test_a_new_qmgr_tells_it_again(void **state)
{
	(void)state;
	world_tenant(1, 5);
	send(1, 5);
	world_kill();
	memset(w.is_full, 0, sizeof(w.is_full));
	world_start();
	assert_false(w.is_full[1]);
	world_tenant(1, 5);
	assert_true(w.is_full[1]);
}

static void
test_a_changed_limit_acts_at_once(void **state)
{
	(void)state;
	world_tenant(1, 5);
	send(1, 5);
	assert_true(w.is_full[1]);
	world_tenant(1, 50);
	assert_false(w.is_full[1]);
	world_tenant(1, 4);
	assert_true(w.is_full[1]);
}

static void
test_an_account_without_a_limit_has_its_share_of_the_memory(void **state)
{
	(void)state;
	/* Half of 200 recipients. */
	world_memory_limit(128 * 200);
	world_tenant(1, 0);
	send(1, 99);
	assert_false(w.is_full[1]);
	send(1, 1);
	assert_true(w.is_full[1]);
}

static void
test_memory_is_a_limit_for_all_until_some_of_it_is_free(void **state)
{
	uint64_t used;

	(void)state;
	send(1, 1);
	used = core_memory_bytes(w.q->core) + notes_memory(w.q->notes);
	world_memory_limit(used + 10000); /* about a hundred messages more */
	pass_s(1);
	assert_int_equal(w.pressure, PRESSURE_NONE);
	send(1, 150);
	pass_s(1);
	assert_int_equal(w.pressure, PRESSURE_MEMORY);
	assert_int_equal(w.told_full, 0);
	/* Room for a little is no room. */
	used = core_memory_bytes(w.q->core) + notes_memory(w.q->notes);
	world_memory_limit(used + used / 50);
	pass_s(1);
	assert_int_equal(w.pressure, PRESSURE_MEMORY);
	world_memory_limit(used + used / 10);
	pass_s(1);
	assert_int_equal(w.pressure, PRESSURE_NONE);
	world_memory_limit(used + used / 50);
	pass_s(1);
	assert_int_equal(w.pressure, PRESSURE_NONE);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)
	const struct CMUnitTest tests[] = {
		T(test_a_full_account_is_told_and_others_are_not_concerned),
		T(test_a_full_account_has_room_again_when_a_tenth_is_free),
		T(test_deliveries_of_a_full_account_go_on),
		T(test_a_new_smtpd_hears_who_is_full),
		T(test_a_new_qmgr_tells_it_again),
		T(test_a_changed_limit_acts_at_once),
		T(test_an_account_without_a_limit_has_its_share_of_the_memory),
		T(test_memory_is_a_limit_for_all_until_some_of_it_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
