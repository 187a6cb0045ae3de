#include "core_world.h"

#include <errno.h>
#include <string.h>

/* Whose turn it is: sources, accounts, subaccounts, classes, groups. */

static struct core_config
wide(void)
{
	struct core_config c;

	core_config_init(&c);
	c.jitter_percent = 0;
	c.window_initial = 1;
	c.concurrency_limit = 1;
	c.credit = 1; /* one at a time: the order is what is tested */
	return c;
}

static void
mails(struct world *w, uint32_t account, uint32_t domain, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		(void)world_mail(w, account, domain);
	}
}

static void
test_core_mail_for_a_known_site_is_given_out_at_once(void **state)
{
	struct world w;
	struct world_job j;
	uint32_t msg;

	(void)state;
	world_init(&w, NULL);
	msg = world_mail(&w, 1, world_domain(&w, "a.example"));
	assert_true(world_job(&w, &j));
	assert_int_equal(j.msg, msg);
	assert_int_equal(j.attempt[0], 1);
	assert_false(world_next(&w));
	assert_int_equal(world_deliver(&w, &j).fate, CORE_FATE_FINAL);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_MESSAGE_DONE);
	assert_int_equal(w.out.msg, msg);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_SEGMENT_EMPTY);
	assert_false(world_next(&w));
	world_fini(&w);
}

static void
test_core_accounts_with_equal_weights_take_turns(void **state)
{
	struct core_config c = wide();
	struct world w;
	struct world_job j;
	unsigned of[3] = { 0 };
	uint32_t d;

	(void)state;
	world_init(&w, &c);
	d = world_domain(&w, "a.example");
	mails(&w, 1, d, 1000);
	mails(&w, 2, d, 1000);
	for (unsigned i = 0; i < 400; i++) {
		assert_true(world_job(&w, &j));
		of[j.account]++;
		(void)world_deliver(&w, &j);
		/* Never apart by more than what one turn is worth. */
		assert_in_range(of[1] + 8 - of[2], 0, 16);
	}
	world_fini(&w);
}

static void
test_core_weights_decide_the_shares(void **state)
{
	struct core_config c = wide();
	const struct core_tenant heavy = { .account = 1, .weight = 300 };
	struct world w;
	struct world_job j;
	unsigned of[3] = { 0 };
	uint32_t d;

	(void)state;
	world_init(&w, &c);
	core_tenant_set(w.core, &heavy);
	d = world_domain(&w, "a.example");
	mails(&w, 1, d, 1000);
	mails(&w, 2, d, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(world_job(&w, &j));
		of[j.account]++;
		(void)world_deliver(&w, &j);
	}
	assert_in_range(of[1], 735, 765);
	world_fini(&w);
}

static void
test_core_large_messages_count_for_more(void **state)
{
	struct core_config c = wide();
	struct world w;
	struct world_job j;
	unsigned of[3] = { 0 };
	uint32_t d;

	(void)state;
	world_init(&w, &c);
	d = world_domain(&w, "a.example");
	for (unsigned i = 0; i < 400; i++) {
		struct core_message m = world_message(&w, 1);

		m.size = 3 * 16384; /* costs 4, against 1 */
		(void)world_send(&w, &m, d, 1);
		mails(&w, 2, d, 1);
	}
	for (unsigned i = 0; i < 400; i++) {
		assert_true(world_job(&w, &j));
		of[j.account]++;
		(void)world_deliver(&w, &j);
	}
	assert_in_range(of[1], 70, 90);
	world_fini(&w);
}

static void
test_core_subaccounts_share_what_their_account_gets(void **state)
{
	struct core_config c = wide();
	struct world w;
	struct world_job j;
	unsigned single = 0;
	uint32_t d;

	(void)state;
	world_init(&w, &c);
	d = world_domain(&w, "a.example");
	for (unsigned i = 0; i < 4000; i++) {
		struct core_message m = world_message(&w, 1);

		m.subaccount = 1 + i % 20;
		(void)world_send(&w, &m, d, 1);
	}
	mails(&w, 2, d, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(world_job(&w, &j));
		single += j.account == 2;
		(void)world_deliver(&w, &j);
	}
	assert_in_range(single, 480, 520);
	world_fini(&w);
}

static void
test_core_a_million_queued_delay_another_accounts_message_by_one_round(
    void **state)
{
	struct core_config c = wide();
	struct world w;
	struct world_job j;
	unsigned others = 0;
	uint32_t d;

	(void)state;
	world_init(&w, &c);
	d = world_domain(&w, "a.example");
	mails(&w, 1, d, 1000000);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(world_job(&w, &j));
		(void)world_deliver(&w, &j);
	}
	(void)world_mail(&w, 2, d);
	for (;;) {
		assert_true(world_job(&w, &j));
		if (j.account == 2) {
			break;
		}
		others++;
		(void)world_deliver(&w, &j);
	}
	assert_in_range(others, 0, 5); /* one turn of account 1 */
	world_fini(&w);
}

static void
test_core_an_account_whose_mail_hangs_leaves_connections_to_others(void **state)
{
	struct core_config c;
	struct world w;
	struct world_job j[64];
	unsigned of[3] = { 0 };
	uint32_t d;
	unsigned n;

	(void)state;
	core_config_init(&c);
	c.window_initial = 20;
	world_init(&w, &c);
	d = world_domain(&w, "a.example");
	mails(&w, 1, d, 1000);
	mails(&w, 2, d, 1000);
	n = world_jobs(&w, j, 64);
	for (unsigned i = 0; i < n; i++) {
		of[j[i].account]++;
	}
	/* 3/2 of half of 20 connections, each. */
	assert_int_equal(of[1], 15);
	assert_int_equal(of[2], 15);
	/* Account 1 hangs; what account 2 sends comes back. */
	for (unsigned round = 0; round < 100; round++) {
		unsigned k = 0;

		while (j[k].account != 2) {
			k++;
		}
		(void)world_deliver(&w, &j[k]);
		assert_true(world_job(&w, &j[k]));
		assert_int_equal(j[k].account, 2);
	}
	world_fini(&w);
}

static void
test_core_alone_an_account_has_all_connections_and_a_job_more_for_each(
    void **state)
{
	struct core_config c;
	struct world w;
	struct world_job j[64];

	(void)state;
	core_config_init(&c);
	world_init(&w, &c);
	mails(&w, 1, world_domain(&w, "a.example"), 100);
	assert_int_equal(world_jobs(&w, j, 64), 2 * c.window_initial);
	assert_int_equal(j[0].conn_limit, c.window_initial);
	world_fini(&w);
}

static void
test_core_classes_share_eight_to_four_to_two_to_one(void **state)
{
	struct core_config c = wide();
	struct world w;
	struct world_job j;
	unsigned of[4] = { 0 };
	struct core_rcpt r = { 0 };
	uint32_t msg;

	(void)state;
	world_init(&w, &c);
	r.domain = world_domain(&w, "a.example");
	for (unsigned i = 0; i < 4000; i++) {
		struct core_message m = world_message(&w, 1);

		/* The size tells the class in the result. */
		m.class = (enum core_class)(i % 4 % 3);
		m.place.content_len = i % 4;
		r.attempts = i % 4 == 3;
		assert_int_equal(core_add(w.core, &m, &r, 1, &msg), 0);
	}
	for (unsigned i = 0; i < 1500; i++) {
		assert_true(world_job(&w, &j));
		of[w.out.place.content_len]++;
		(void)world_deliver(&w, &j);
	}
	assert_int_equal(of[0], 800);
	assert_int_equal(of[1], 400);
	assert_int_equal(of[2], 200);
	assert_int_equal(of[3], 100);
	world_fini(&w);
}

static void
test_core_recipients_of_a_message_for_one_domain_share_a_job(void **state)
{
	struct core_config c;
	struct world w;
	struct world_job j;
	struct core_rcpt r[30] = { 0 };
	struct core_message m;
	uint32_t msg, d[2];

	(void)state;
	core_config_init(&c);
	c.rcpt_limit = 10;
	world_init(&w, &c);
	d[0] = world_domain(&w, "a.example");
	d[1] = world_domain(&w, "b.example");
	m = world_message(&w, 1);
	for (uint16_t i = 0; i < 30; i++) {
		r[i] = (struct core_rcpt){ .ordinal = i, .domain = d[i % 2] };
	}
	assert_int_equal(core_add(w.core, &m, r, 30, &msg), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(world_job(&w, &j));
		assert_int_equal(j.n, i < 2 ? 10 : 5);
		for (uint32_t k = 1; k < j.n; k++) {
			assert_int_equal(j.ordinal[k] % 2, j.ordinal[0] % 2);
		}
	}
	assert_false(world_next(&w));
	world_fini(&w);
}

static void
test_core_a_flag_asks_for_one_recipient_per_job(void **state)
{
	struct world w;
	struct world_job j[8];
	struct core_message m;

	(void)state;
	world_init(&w, NULL);
	m = world_message(&w, 1);
	m.flags = CORE_SINGLE;
	(void)world_send(&w, &m, world_domain(&w, "a.example"), 5);
	assert_int_equal(world_jobs(&w, j, 8), 5);
	assert_int_equal(j[4].n, 1);
	world_fini(&w);
}

static void
test_core_a_relay_takes_all_domains_in_one_job_without_questions(void **state)
{
	struct world w;
	struct core_rcpt r[2] = { 0 };
	struct core_message m;
	uint32_t msg;

	(void)state;
	world_init(&w, NULL);
	core_relay(w.core, core_site(w.core, STR("relay"), NULL), CORE_NONE);
	r[0].domain = core_domain(w.core, STR("a.example"));
	r[1].domain = core_domain(w.core, STR("b.example"));
	r[1].ordinal = 1;
	m = world_message(&w, 1);
	assert_int_equal(core_add(w.core, &m, r, 2, &msg), 0);
	assert_true(world_next(&w));
	assert_int_equal(w.out.kind, CORE_JOB);
	assert_int_equal(w.out.job.nrcpt, 2);
	assert_int_equal(w.out.job.rcpts[1].domain, r[1].domain);
	world_fini(&w);
}

static void
test_core_sources_of_a_pool_take_turns_and_those_taken_out_do_not(void **state)
{
	struct core_config c;
	struct world w;
	struct world_job j[16];
	unsigned of[3] = { 0 };
	uint32_t d;

	(void)state;
	core_config_init(&c);
	c.window_initial = 2;
	world_init(&w, &c);
	assert_int_equal(core_source_set(w.core, 1, 7, true), 0);
	assert_int_equal(core_source_set(w.core, 2, 7, true), 0);
	assert_int_equal(core_source_set(w.core, 2, 8, true), -EINVAL);
	d = world_domain(&w, "a.example");
	for (unsigned i = 0; i < 20; i++) {
		struct core_message m = world_message(&w, 1);

		m.pool = 7;
		(void)world_send(&w, &m, d, 1);
	}
	assert_int_equal(world_jobs(&w, j, 16), 8);
	for (unsigned i = 0; i < 8; i++) {
		of[j[i].source]++;
	}
	assert_int_equal(of[1], 4);
	assert_int_equal(of[2], 4);
	assert_int_equal(core_source_set(w.core, 1, 7, false), 0);
	for (unsigned i = 0; i < 8; i++) {
		(void)world_deliver(&w, &j[i]);
	}
	assert_int_not_equal(world_jobs(&w, j, 16), 0);
	assert_int_equal(j[0].source, 2);
	world_fini(&w);
}

static void
test_core_mail_of_a_pool_without_sources_waits_for_one(void **state)
{
	struct world w;
	struct world_job j;
	struct core_message m;

	(void)state;
	world_init(&w, NULL);
	m = world_message(&w, 1);
	m.pool = 3;
	(void)world_send(&w, &m, world_domain(&w, "a.example"), 1);
	assert_false(world_next(&w));
	assert_int_equal(core_source_set(w.core, 9, 3, true), 0);
	assert_true(world_job(&w, &j));
	assert_int_equal(j.source, 9);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_core_mail_for_a_known_site_is_given_out_at_once),
		cmocka_unit_test(
		    test_core_accounts_with_equal_weights_take_turns),
		cmocka_unit_test(test_core_weights_decide_the_shares),
		cmocka_unit_test(test_core_large_messages_count_for_more),
		cmocka_unit_test(
		    test_core_subaccounts_share_what_their_account_gets),
		cmocka_unit_test(
		    test_core_a_million_queued_delay_another_accounts_message_by_one_round),
		cmocka_unit_test(
		    test_core_an_account_whose_mail_hangs_leaves_connections_to_others),
		cmocka_unit_test(
		    test_core_alone_an_account_has_all_connections_and_a_job_more_for_each),
		cmocka_unit_test(
		    test_core_classes_share_eight_to_four_to_two_to_one),
		cmocka_unit_test(
		    test_core_recipients_of_a_message_for_one_domain_share_a_job),
		cmocka_unit_test(
		    test_core_a_flag_asks_for_one_recipient_per_job),
		cmocka_unit_test(
		    test_core_a_relay_takes_all_domains_in_one_job_without_questions),
		cmocka_unit_test(
		    test_core_sources_of_a_pool_take_turns_and_those_taken_out_do_not),
		cmocka_unit_test(
		    test_core_mail_of_a_pool_without_sources_waits_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
