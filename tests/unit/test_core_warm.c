#include "core_world.h"

#include <stdlib.h>
#include <string.h>

/* Ceilings of source addresses that are warmed up. */

#define DAY_S 86400u
#define COLD 1 /* source and address */
#define WARM 2
#define PROVIDER "provider.example"

static void
add_source(struct world *w, uint32_t n)
{
	assert_int_equal(core_source_set(w->core, n, 0, true), 0);
	assert_int_equal(core_source_address(w->core, n, n), 0);
}

static void
set_ceiling(struct world *w, uint32_t address, uint32_t ceiling)
{
	assert_int_equal(core_ceiling_set(w->core, address, ceiling), 0);
}

/* A world with a cold source and, if wanted, a warm one. */
static void
begin(struct world *w, uint32_t ceiling, bool has_warm)
{
	struct core_config c;

	core_config_init(&c);
	c.jitter_percent = 0;
	c.window_initial = 5;
	world_init(w, &c);
	assert_int_equal(core_source_set(w->core, 0, 0, false), 0);
	add_source(w, COLD);
	set_ceiling(w, COLD, ceiling);
	if (has_warm) {
		add_source(w, WARM);
	}
}

/* A domain with its own site at the provider. */
static uint32_t
domain_at(struct world *w, const char *name, const char *provider)
{
	uint32_t d = world_domain(w, name);

	core_site_answer(w->core, d, CORE_ANSWER_SITE,
	    core_site(w->core, str_of(name), NULL),
	    core_provider(w->core, str_of(provider), NULL), UINT32_MAX);
	return d;
}

/* Delivers all that goes out; recipients by source. */
static void
deliver_all(struct world *w, unsigned of[4])
{
	struct world_job j;

	while (world_job(w, &j)) {
		of[j.source] += j.n;
		(void)world_deliver(w, &j);
	}
}

static void
mail(struct world *w, uint32_t domain, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		(void)world_mail(w, 1, domain);
	}
}

static void
test_core_a_ceiling_holds_for_all_sites_of_a_provider_together(void **state)
{
	struct world w;
	uint32_t a, b, other;
	unsigned of[4] = { 0 };

	(void)state;
	begin(&w, 10, false);
	a = domain_at(&w, "a.example", PROVIDER);
	b = domain_at(&w, "b.example", PROVIDER);
	other = domain_at(&w, "c.example", "other.example");
	mail(&w, a, 20);
	mail(&w, b, 20);
	deliver_all(&w, of);
	assert_int_equal(of[COLD], 10);
	mail(&w, other, 20);
	deliver_all(&w, of);
	assert_int_equal(of[COLD], 20);
	world_fini(&w);
}

static void
test_core_mail_above_a_ceiling_goes_over_the_warm_addresses(void **state)
{
	struct world w;
	unsigned of[4] = { 0 };

	(void)state;
	begin(&w, 10, true);
	mail(&w, domain_at(&w, "a.example", PROVIDER), 100);
	deliver_all(&w, of);
	assert_int_equal(of[COLD], 10);
	assert_int_equal(of[WARM], 90);
	world_fini(&w);
}

static void
test_core_mail_above_a_ceiling_waits_for_the_next_day(void **state)
{
	struct world w;
	unsigned of[4] = { 0 };
	uint32_t left;

	(void)state;
	begin(&w, 10, false);
	mail(&w, domain_at(&w, "a.example", PROVIDER), 25);
	deliver_all(&w, of);
	left = DAY_S - world_now_s(&w) % DAY_S;
	world_pass_s(&w, left - 1);
	deliver_all(&w, of);
	assert_int_equal(of[COLD], 10);
	world_pass_s(&w, 1);
	deliver_all(&w, of);
	assert_int_equal(of[COLD], 20);
	set_ceiling(&w, COLD, 0);
	deliver_all(&w, of);
	assert_int_equal(of[COLD], 25);
	world_fini(&w);
}

static void
test_core_a_transaction_is_cut_at_the_ceiling(void **state)
{
	struct world w;
	struct world_job j;
	struct core_message m;

	(void)state;
	begin(&w, 7, false);
	m = world_message(&w, 1);
	(void)world_send(&w, &m, domain_at(&w, "a.example", PROVIDER), 20);
	assert_true(world_job(&w, &j));
	assert_int_equal(j.n, 7);
	assert_false(world_job(&w, &j));
	world_fini(&w);
}

static void
test_core_what_was_not_tried_is_given_back(void **state)
{
	const struct core_result r = { .outcome = OUTCOME_RETURNED };
	struct world w;
	struct world_job j[4];
	struct core_verdict v;

	(void)state;
	begin(&w, 2, false);
	mail(&w, domain_at(&w, "a.example", PROVIDER), 9);
	assert_int_equal(world_jobs(&w, j, 4), 2);
	assert_int_equal(
	    core_result(w.core, j[0].id, j[0].ordinal[0], &r, &v), 0);
	assert_int_equal(world_jobs(&w, j, 4), 1);
	/* deliver died: nobody knows what it tried. */
	assert_int_equal(core_job_return(w.core, j[0].id), 0);
	assert_int_equal(world_jobs(&w, j, 4), 0);
	world_fini(&w);
}

static void
test_core_ceilings_are_kept_over_a_restart(void **state)
{
	struct world w;
	struct world_job j[8];
	struct core_warm saved, none;
	uint32_t at = 0;
	unsigned of[4] = { 0 };

	(void)state;
	begin(&w, 10, false);
	mail(&w, domain_at(&w, "a.example", PROVIDER), 6);
	assert_int_equal(world_jobs(&w, j, 8), 6);
	(void)world_deliver(&w, &j[0]);
	(void)world_deliver(&w, &j[1]);
	assert_true(core_warm_next(w.core, true, &at, &saved));
	assert_int_equal(saved.used, 2); /* the others are still tried */
	at = 0;
	assert_false(core_warm_next(w.core, true, &at, &none));
	at = 0;
	assert_true(core_warm_next(w.core, false, &at, &none));
	world_fini(&w);

	begin(&w, 10, false);
	core_warm_set(w.core, &saved);
	core_warm_add(w.core, COLD, core_provider_key(STR(PROVIDER)),
	    world_now_s(&w) / DAY_S);
	(void)domain_at(&w, "a.example", PROVIDER);
	core_warm_any(w.core, core_site_find(w.core, STR("a.example")), 3);
	mail(&w, domain_at(&w, "a.example", PROVIDER), 20);
	deliver_all(&w, of);
	assert_int_equal(of[COLD], 10 - 2 - 1 - 3);
	world_fini(&w);
}

/* ---- never over the ceiling ----------------------------------------------
 */

#define SITES 6
#define PROVIDERS 3

struct days {
	unsigned tried[PROVIDERS]; /* today, from the cold address */
	uint32_t day;
	uint32_t ceiling;
};

/* Counts as a provider does: whatever was not returned untried. */
static void
note(struct days *d, const struct world *w, const struct world_job *j, int by)
{
	const char *name = core_site_name(w->core, j->site).p;

	if (j->source == COLD) {
		d->tried[(unsigned)(name[0] - 'a') % PROVIDERS] += (unsigned)by;
	}
	for (unsigned i = 0; i < PROVIDERS; i++) {
		assert_in_range(d->tried[i], 0, d->ceiling);
	}
}

static void
finish_one(struct world *w, struct world_job *j, struct days *d)
{
	const struct core_result r = { .outcome = OUTCOME_RETURNED };
	struct core_verdict v;
	long luck = random() % 10;

	if (luck == 0) {
		note(d, w, j, -(int)j->n);
		for (uint32_t i = 0; i < j->n; i++) {
			assert_int_equal(
			    core_result(w->core, j->id, j->ordinal[i], &r, &v),
			    0);
		}
	} else if (luck < 3) {
		(void)world_defer(w, j);
	} else {
		(void)world_deliver(w, j);
	}
}

static void
next_day(struct world *w, struct days *d)
{
	uint32_t today = world_now_s(w) / DAY_S;

	if (today != d->day) {
		d->day = today;
		d->ceiling += 5;
		memset(d->tried, 0, sizeof(d->tried));
		set_ceiling(w, COLD, d->ceiling);
	}
}

static void
test_core_nothing_is_ever_tried_beyond_a_ceiling(void **state)
{
	struct world w;
	struct world_job j[8];
	struct days d = { .ceiling = 5 };
	uint32_t domains[SITES];

	(void)state;
	srandom(7);
	begin(&w, d.ceiling, true);
	d.day = world_now_s(&w) / DAY_S;
	for (unsigned i = 0; i < SITES; i++) {
		char name[] = "a.example";
		char provider[] = "0.provider.example";

		name[0] = (char)('a' + i);
		provider[0] = (char)('0' + i % PROVIDERS);
		domains[i] = domain_at(&w, name, provider);
	}
	for (unsigned round = 0; round < 3000; round++) {
		struct core_message m = world_message(&w, 1);
		unsigned n;

		(void)world_send(&w, &m, domains[random() % SITES],
		    (uint16_t)(1 + random() % 4));
		n = world_jobs(&w, j, (unsigned)(1 + random() % 8));
		for (unsigned i = 0; i < n; i++) {
			note(&d, &w, &j[i], (int)j[i].n);
		}
		for (unsigned i = 0; i < n; i++) {
			finish_one(&w, &j[i], &d);
		}
		world_pass_s(&w, (uint32_t)(random() % 300));
		next_day(&w, &d);
	}
	assert_true(d.ceiling > 20);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_a_ceiling_holds_for_all_sites_of_a_provider_together),
		cmocka_unit_test(
		    test_core_mail_above_a_ceiling_goes_over_the_warm_addresses),
		cmocka_unit_test(
		    test_core_mail_above_a_ceiling_waits_for_the_next_day),
		cmocka_unit_test(test_core_a_transaction_is_cut_at_the_ceiling),
		cmocka_unit_test(test_core_what_was_not_tried_is_given_back),
		cmocka_unit_test(test_core_ceilings_are_kept_over_a_restart),
		cmocka_unit_test(
		    test_core_nothing_is_ever_tried_beyond_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
