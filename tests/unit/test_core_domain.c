#include "core_world.h"

#include <stdio.h>
#include <string.h>

/* Which site serves a domain, and how long names are kept. */

static struct world_job
first_job(struct world *w)
{
	struct world_job j;

	assert_true(world_job(w, &j));
	return j;
}

static void
test_core_a_domain_is_asked_once_for_all_its_mail(void **state)
{
	struct world w;
	struct world_job j[16];
	uint32_t d, site;

	(void)state;
	world_init(&w, NULL);
	d = core_domain(w.core, STR("a.example"));
	for (unsigned i = 0; i < 10; i++) {
		(void)world_mail(&w, 1, d);
	}
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_RESOLVE);
	assert_int_equal(w.out.domain, d);
	assert_false(world_next(&w));
	(void)world_mail(&w, 1, d);
	assert_false(world_next(&w));
	site = core_site(w.core, STR("mx.example"), NULL);
	core_site_answer(w.core, d, CORE_ANSWER_SITE, site, CORE_NONE, 300);
	assert_int_equal(world_jobs(&w, j, 16), 10);
	assert_int_equal(j[0].site, site);
	world_fini(&w);
}

static void
test_core_an_expired_answer_serves_until_the_new_one(void **state)
{
	struct world w;
	struct world_job j[4];
	uint32_t d, old, new;

	(void)state;
	world_init(&w, NULL);
	d = core_domain(w.core, STR("a.example"));
	old = core_site(w.core, STR("old.example"), NULL);
	new = core_site(w.core, STR("new.example"), NULL);
	core_site_answer(w.core, d, CORE_ANSWER_SITE, old, CORE_NONE, 300);
	(void)world_mail(&w, 1, d);
	assert_int_equal(world_jobs(&w, j, 4), 1);
	world_pass_s(&w, 300);
	(void)world_mail(&w, 1, d);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_RESOLVE);
	assert_int_equal(world_jobs(&w, j, 4), 1);
	assert_int_equal(j[0].site, old);
	core_site_answer(w.core, d, CORE_ANSWER_LATER, 0, 0, 0);
	(void)world_mail(&w, 1, d);
	assert_int_equal(world_jobs(&w, j, 4), 1);
	core_site_answer(w.core, d, CORE_ANSWER_SITE, new, CORE_NONE, 300);
	(void)world_mail(&w, 1, d);
	assert_int_equal(world_jobs(&w, j, 4), 1);
	assert_int_equal(j[0].site, new);
	world_fini(&w);
}

static void
test_core_a_domain_without_an_answer_is_asked_again_with_growing_waits(
    void **state)
{
	static const uint32_t waits[] = { 30, 60, 120, 300, 600, 1200, 1800,
		1800 };
	struct world w;
	uint32_t d;

	(void)state;
	world_init(&w, NULL);
	d = core_domain(w.core, STR("a.example"));
	(void)world_mail(&w, 1, d);
	for (unsigned i = 0; i < array_len(waits); i++) {
		assert_int_equal(world_count(&w, CORE_RESOLVE), 1);
		core_site_answer(w.core, d, CORE_ANSWER_LATER, 0, 0, 0);
		world_pass_s(&w, waits[i] - 1);
		assert_int_equal(world_count(&w, CORE_RESOLVE), 0);
		world_pass_s(&w, 1);
	}
	world_fini(&w);
}

static void
test_core_each_recipient_is_told_once_that_it_waits_for_an_answer(void **state)
{
	struct core_untold t[8];
	struct core_selector sel;
	struct world w;
	uint32_t d, msg[6];

	(void)state;
	world_init(&w, NULL);
	d = core_domain(w.core, STR("a.example"));
	for (unsigned i = 0; i < 5; i++) {
		msg[i] = world_mail(&w, 1, d);
	}
	assert_int_equal(core_domain_untold(w.core, d, t, 2), 2);
	assert_int_equal(t[1].msg, msg[1]);
	/* The next one is held meanwhile, and so waits no more. */
	core_selector_init(&sel);
	sel.msg = msg[2];
	assert_int_not_equal(core_admin(w.core, CORE_CMD_HOLD, &sel), 0);
	(void)world_count(&w, CORE_HELD);
	assert_int_equal(core_domain_untold(w.core, d, t, 8), 2);
	assert_int_equal(t[0].msg, msg[3]);
	assert_int_equal(core_domain_untold(w.core, d, t, 8), 0);
	msg[5] = world_mail(&w, 1, d);
	assert_int_equal(core_domain_untold(w.core, d, t, 8), 1);
	assert_int_equal(t[0].msg, msg[5]);
	world_fini(&w);
}

static void
test_core_mail_for_a_domain_without_service_fails(void **state)
{
	struct world w;
	uint32_t d;

	(void)state;
	world_init(&w, NULL);
	d = core_domain(w.core, STR("a.example"));
	for (unsigned i = 0; i < 5000; i++) {
		(void)world_mail(&w, 1, d);
	}
	assert_int_equal(world_count(&w, CORE_RESOLVE), 1);
	core_site_answer(w.core, d, CORE_ANSWER_NEVER, 0, 0, 600);
	(void)world_mail(&w, 1, d);
	for (unsigned left = 5001; left > 0;) {
		unsigned n = world_count(&w, CORE_DNS_FAILED);

		assert_in_range(n, 1, left);
		left -= n;
		world_pass(&w, 1);
	}
	/* And is asked about anew when that answer is old. */
	world_pass_s(&w, 601);
	(void)world_mail(&w, 1, core_domain(w.core, STR("a.example")));
	assert_int_equal(world_count(&w, CORE_RESOLVE), 1);
	world_fini(&w);
}

static void
test_core_names_that_nothing_needs_are_forgotten(void **state)
{
	struct world w;
	struct core_stats st;

	(void)state;
	world_init(&w, NULL);
	for (unsigned i = 0; i < 1000; i++) {
		char name[32];
		struct str s = { name, 0 };
		uint32_t d;
		struct world_job j;

		s.len = (size_t)snprintf(name, sizeof(name), "d%u.example", i);
		d = core_domain(w.core, s);
		core_site_answer(w.core, d, CORE_ANSWER_SITE,
		    core_site(w.core, s, NULL), core_provider(w.core, s, NULL),
		    60);
		(void)world_mail(&w, 1, d);
		j = first_job(&w);
		(void)world_deliver(&w, &j);
	}
	(void)world_count(&w, CORE_MESSAGE_DONE);
	world_hang_up(&w);
	for (unsigned i = 0; i < 200; i++) {
		world_pass_s(&w, 60);
	}
	core_stats_get(w.core, &st);
	assert_int_equal(st.domains, 0);
	assert_int_equal(st.sites, 0);
	assert_int_equal(st.paths, 0);
	assert_int_equal(
	    core_domain_find(w.core, STR("d7.example")), CORE_NONE);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_a_domain_is_asked_once_for_all_its_mail),
		cmocka_unit_test(
		    test_core_an_expired_answer_serves_until_the_new_one),
		cmocka_unit_test(
		    test_core_a_domain_without_an_answer_is_asked_again_with_growing_waits),
		cmocka_unit_test(
		    test_core_each_recipient_is_told_once_that_it_waits_for_an_answer),
		cmocka_unit_test(
		    test_core_mail_for_a_domain_without_service_fails),
		cmocka_unit_test(
		    test_core_names_that_nothing_needs_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
