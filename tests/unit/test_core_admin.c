#include "core_world.h"

#include <string.h>

/* Hold, release, delete, retry now. */

struct counts {
	unsigned of[CORE_ADMIN_DONE + 1];
	uint64_t done; /* what CORE_ADMIN_DONE said */
};

/* All outputs of as many turns as it takes. */
static struct counts
everything(struct world *w)
{
	struct counts c = { 0 };
	bool is_any;

	do {
		is_any = false;
		while (world_next(w)) {
			is_any = true;
			c.of[w->out.kind]++;
			if (w->out.kind == CORE_ADMIN_DONE) {
				c.done = w->out.count;
			}
		}
		world_pass(w, 0);
	} while (is_any || core_wake_us(w->core) == w->now_us);
	return c;
}

static struct counts
command(struct world *w, enum core_command cmd, const struct core_selector *s)
{
	assert_int_not_equal(core_admin(w->core, cmd, s), 0);
	return everything(w);
}

/* Mail that waits for its retry: n each of accounts 1 and 2 for two sites. */
static void
deferred(struct world *w, unsigned n)
{
	uint32_t d[2];

	world_init(w, NULL);
	d[0] = world_domain(w, "a.example");
	d[1] = world_domain(w, "b.example");
	for (unsigned i = 0; i < 4 * n; i++) {
		struct core_message m = world_message(w, 1 + i % 2);
		struct core_rcpt r = { .domain = d[i / 2 % 2],
			.attempts = 1,
			.due_s = world_now_s(w) + 100 + i % 1000 };
		uint32_t msg;

		m.subaccount = i % 3;
		assert_int_equal(core_add(w->core, &m, &r, 1, &msg), 0);
	}
}

static unsigned
in_state(const struct world *w, enum core_rcpt_state state)
{
	struct core_stats st;

	core_stats_get(w->core, &st);
	return st.by_state[state];
}

static void
test_core_hold_and_release_reach_what_the_selector_names(void **state)
{
	struct core_selector s;
	struct world w;
	struct counts c;

	(void)state;
	deferred(&w, 300);
	core_selector_init(&s);
	s.by_account = true;
	s.account = 2;
	s.domain = core_domain_find(w.core, STR("b.example"));
	c = command(&w, CORE_CMD_HOLD, &s);
	assert_int_equal(c.of[CORE_HELD], 300);
	assert_int_equal(c.done, 300);
	assert_int_equal(in_state(&w, CORE_RCPT_HELD), 300);
	assert_int_equal(command(&w, CORE_CMD_HOLD, &s).done, 0);
	core_selector_init(&s);
	s.site = core_site_find(w.core, STR("b.example"));
	c = command(&w, CORE_CMD_RELEASE, &s);
	assert_int_equal(c.of[CORE_RELEASED], 300);
	assert_int_equal(in_state(&w, CORE_RCPT_HELD), 0);
	assert_int_equal(c.of[CORE_JOB], 10); /* they are due at once */
	world_fini(&w);
}

static void
test_core_delete_ends_recipients_and_their_messages(void **state)
{
	struct core_selector s;
	struct world w;
	struct counts c;

	(void)state;
	deferred(&w, 300);
	core_selector_init(&s);
	s.by_account = true;
	s.account = 1;
	s.by_subaccount = true;
	s.subaccount = 1;
	c = command(&w, CORE_CMD_DELETE, &s);
	assert_int_equal(c.of[CORE_DELETED], 200);
	assert_int_equal(c.of[CORE_MESSAGE_DONE], 200);
	assert_int_equal(c.done, 200);
	core_selector_init(&s);
	c = command(&w, CORE_CMD_DELETE, &s);
	assert_int_equal(c.of[CORE_DELETED], 1000);
	assert_int_equal(c.of[CORE_SEGMENT_EMPTY], 1);
	assert_int_equal(in_state(&w, CORE_RCPT_WAITING), 0);
	world_fini(&w);
}

static void
test_core_retry_makes_waiting_mail_due_and_probes_dead_paths(void **state)
{
	struct core_selector s;
	struct world w;
	struct world_job j;
	struct counts c;

	(void)state;
	deferred(&w, 100);
	core_selector_init(&s);
	s.domain = core_domain_find(w.core, STR("a.example"));
	c = command(&w, CORE_CMD_RETRY, &s);
	assert_int_equal(c.of[CORE_RELEASED], 200);
	assert_int_equal(c.of[CORE_JOB], 10);
	world_fini(&w);

	world_init(&w, NULL);
	(void)world_domain(&w, "a.example");
	for (unsigned i = 0; i < 20; i++) {
		(void)world_mail(
		    &w, 1, core_domain_find(w.core, STR("a.example")));
	}
	while (world_job(&w, &j)) {
		world_refuse(&w, &j);
	}
	assert_int_equal(world_path(&w).state, CORE_PATH_DEAD);
	core_selector_init(&s);
	s.site = core_site_find(w.core, STR("a.example"));
	assert_int_not_equal(core_admin(w.core, CORE_CMD_RETRY, &s), 0);
	assert_true(world_job(&w, &j));
	assert_true(j.is_probe);
	world_fini(&w);
}

static void
test_core_a_command_for_one_message_acts_at_once(void **state)
{
	struct core_selector s;
	struct world w;
	uint32_t msg;

	(void)state;
	deferred(&w, 3000);
	msg = world_mail(&w, 1, core_domain_find(w.core, STR("a.example")));
	core_selector_init(&s);
	s.msg = msg;
	assert_int_not_equal(core_admin(w.core, CORE_CMD_HOLD, &s), 0);
	assert_true(world_find(&w, CORE_JOB)); /* it was on its way */
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_CANCEL);
	assert_int_equal(w.out.msg, msg);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_ADMIN_DONE);
	assert_int_equal(w.out.count, 1);
	world_fini(&w);
}

static void
test_core_mail_in_a_job_is_held_or_deleted_when_it_comes_back(void **state)
{
	struct core_selector s;
	struct world w;
	struct world_job j[3];
	uint32_t d, msg[3];

	(void)state;
	world_init(&w, NULL);
	d = world_domain(&w, "a.example");
	for (unsigned i = 0; i < 3; i++) {
		msg[i] = world_mail(&w, 1, d);
	}
	assert_int_equal(world_jobs(&w, j, 3), 3);
	core_selector_init(&s);
	assert_int_equal(command(&w, CORE_CMD_HOLD, &s).done, 3);
	s.msg = msg[2];
	assert_int_equal(command(&w, CORE_CMD_DELETE, &s).done, 1);
	assert_int_equal(world_defer(&w, &j[0]).fate, CORE_FATE_HELD);
	assert_int_equal(world_state(&w, msg[0]), CORE_RCPT_HELD);
	/* What was delivered is delivered. */
	assert_int_equal(world_deliver(&w, &j[1]).fate, CORE_FATE_FINAL);
	assert_int_equal(
	    world_result(&w, &j[2], OUTCOME_RETURNED, CORE_FB_OK).fate,
	    CORE_FATE_DELETED);
	assert_true(world_find(&w, CORE_DELETED));
	assert_int_equal(w.out.msg, msg[2]);
	world_fini(&w);
}

static bool
is_odd(void *arg, uint32_t msg, uint16_t ordinal)
{
	const struct world *w = arg;
	struct core_message m;
	uint32_t n;

	assert_int_equal(core_message_get(w->core, msg, &m, &n), 0);
	assert_int_equal(ordinal, 0);
	return m.accept_lsn % 2 == 1;
}

static void
test_core_the_shells_own_test_has_the_last_word(void **state)
{
	struct core_selector s;
	struct world w;

	(void)state;
	deferred(&w, 300);
	core_selector_init(&s);
	s.match = is_odd;
	s.arg = &w;
	assert_int_equal(command(&w, CORE_CMD_DELETE, &s).done, 600);
	world_fini(&w);
}

static void
test_core_commands_run_in_slices_one_after_the_other(void **state)
{
	struct core_selector s;
	struct core_out out;
	struct world w;
	uint32_t first;
	unsigned turns = 0;
	unsigned held = 0;

	(void)state;
	deferred(&w, 25000);
	core_selector_init(&s);
	first = core_admin(w.core, CORE_CMD_HOLD, &s);
	assert_int_not_equal(core_admin(w.core, CORE_CMD_RELEASE, &s), first);
	for (bool is_over = false; !is_over; turns++) {
		unsigned n = 0;

		world_pass(&w, 1);
		while (!is_over && core_next(w.core, &out)) {
			n += out.kind == CORE_HELD;
			is_over = out.kind == CORE_ADMIN_DONE;
		}
		assert_in_range(n, 0, w.conf.slice);
		held += n;
	}
	assert_int_equal(out.command, first);
	assert_int_equal(held, 100000);
	assert_in_range(turns, 50, 60);
	world_fini(&w);
}

/* Calls of a match in this turn. */
static unsigned n_matched;

static bool
is_rare(void *arg, uint32_t msg, uint16_t ordinal)
{
	(void)arg;
	(void)ordinal;
	n_matched++;
	return msg % 100 == 0;
}

/* One command to its end: what each turn does is bounded, and mail that comes
 * meanwhile has its job in the turn of its arrival. */
static uint64_t
command_beside_mail(struct world *w, enum core_command cmd,
    const struct core_selector *s, uint32_t domain, unsigned max_turns)
{
	unsigned turns = 0;
	uint64_t count = 0;

	assert_int_not_equal(core_admin(w->core, cmd, s), 0);
	for (bool is_over = false; !is_over; turns++) {
		unsigned outputs = 0;
		unsigned jobs = 0;

		n_matched = 0;
		world_pass(w, 1);
		(void)world_mail(w, 3, domain);
		while (!is_over && world_next(w)) {
			struct core_result r = { .outcome = OUTCOME_DELIVERED };
			struct core_verdict v;

			outputs++;
			is_over = w->out.kind == CORE_ADMIN_DONE;
			count = is_over ? w->out.count : count;
			if (w->out.kind == CORE_JOB) {
				jobs += w->out.account == 3;
				assert_int_equal(
				    core_result(w->core, w->out.job.id,
					w->out.job.rcpts[0].ordinal, &r, &v),
				    0);
			}
		}
		assert_int_equal(jobs, 1);
		/* Of each message looked at, its recipient and its end. */
		assert_in_range(outputs, 0, 2 * w->conf.slice + 4);
		assert_in_range(n_matched, 0, w->conf.slice / 20 + 1);
		assert_in_range(turns, 0, max_turns);
	}
	return count;
}

static void
test_core_commands_on_a_million_messages_stop_nobody(void **state)
{
	struct core_selector s;
	struct world w;
	uint32_t d;

	(void)state;
	deferred(&w, 250000);
	d = world_domain(&w, "c.example");
	core_selector_init(&s);
	s.by_account = true;
	s.account = 1;
	assert_int_equal(
	    command_beside_mail(&w, CORE_CMD_HOLD, &s, d, 510), 500000);
	core_selector_init(&s);
	s.domain = core_domain_find(w.core, STR("nowhere.example"));
	s.site = core_site_find(w.core, STR("b.example"));
	s.by_subaccount = true;
	s.subaccount = 2;
	s.by_account = true;
	s.account = 2;
	assert_in_range(
	    command_beside_mail(&w, CORE_CMD_DELETE, &s, d, 510), 83333, 83334);
	core_selector_init(&s);
	s.match = is_rare;
	assert_in_range(command_beside_mail(&w, CORE_CMD_DELETE, &s, d, 11000),
	    6000, 10000);
	world_fini(&w);
}

static void
test_core_more_than_64_commands_are_refused(void **state)
{
	struct core_selector s;
	struct world w;

	(void)state;
	world_init(&w, NULL);
	core_selector_init(&s);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_not_equal(core_admin(w.core, CORE_CMD_HOLD, &s), 0);
	}
	assert_int_equal(core_admin(w.core, CORE_CMD_HOLD, &s), 0);
	assert_int_equal(world_count(&w, CORE_ADMIN_DONE), 64);
	assert_int_not_equal(core_admin(w.core, CORE_CMD_HOLD, &s), 0);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_hold_and_release_reach_what_the_selector_names),
		cmocka_unit_test(
		    test_core_delete_ends_recipients_and_their_messages),
		cmocka_unit_test(
		    test_core_retry_makes_waiting_mail_due_and_probes_dead_paths),
		cmocka_unit_test(
		    test_core_a_command_for_one_message_acts_at_once),
		cmocka_unit_test(
		    test_core_mail_in_a_job_is_held_or_deleted_when_it_comes_back),
		cmocka_unit_test(
		    test_core_the_shells_own_test_has_the_last_word),
		cmocka_unit_test(
		    test_core_commands_run_in_slices_one_after_the_other),
		cmocka_unit_test(
		    test_core_commands_on_a_million_messages_stop_nobody),
		cmocka_unit_test(test_core_more_than_64_commands_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
