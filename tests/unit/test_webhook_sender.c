/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fake_loop.h"
#include "journal.h"
#include "progress.h"
#include "reading.h"
#include "sender.h"
#include "webhook_world.h"
#include "webhookd.h"

#define A "https://8.8.8.8/a"
#define B "https://8.8.4.4/b"
#define S US_PER_S

static int
set_up(void **state)
{
	(void)state;
	world_begin(false);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	world_end(false);
	return 0;
}

/* One endpoint of account 7, everything running. */
static struct hook *
begin_one(void)
{
	struct hook *h = world_hook(1, 7, A);

	world_hooks_end();
	(void)world_events(9, 0, 1);
	world_durable();
	return h;
}

static void
assert_numbers(const struct world_post *p, const char *want)
{
	struct buf b = { 0 };

	assert_non_null(p);
	world_numbers(p, &b);
	assert_string_equal((const char *)b.p, want);
	buf_fini(&b);
}

/* Takes every post to the URL; fails unless they bring from, from + 1 ... */
static unsigned
take_all(const char *url, unsigned from)
{
	struct world_post *p;

	for (;;) {
		json_t *event;
		size_t i;

		fake_loop_pass(2 * S);
		p = world_pending(url);
		if (p == NULL) {
			return from;
		}
		json_array_foreach(
		    json_object_get(p->events, "events"), i, event)
		{
			json_t *d = json_object_get(event, "details");

			assert_int_equal(
			    json_integer_value(json_object_get(d, "attempt")),
			    from++);
		}
		world_answer(p, 200, NULL);
	}
}

static void
test_sender_waits_for_company_then_posts_in_order(void **state)
{
	(void)state;
	(void)begin_one();
	(void)world_events(7, 1, 2);
	world_durable();
	fake_loop_pass(S / 2);
	(void)world_events(7, 3, 1);
	world_durable();
	assert_null(world_pending(A));
	fake_loop_pass(S);
	assert_numbers(world_pending(A), "1 2 3");
}

static void
test_sender_full_batch_goes_at_once(void **state)
{
	struct world_post *p;

	(void)state;
	(void)begin_one();
	(void)world_events(7, 0, 700);
	world_durable();
	p = world_pending(A);
	assert_non_null(p);
	assert_int_equal(
	    json_array_size(json_object_get(p->events, "events")), 500);
	world_answer(p, 204, NULL);
	assert_int_equal(take_all(A, 500), 700);
}

static void
test_sender_signs_and_names_the_hook(void **state)
{
	struct world_post *p;

	(void)state;
	(void)begin_one();
	(void)world_events(7, 1, 1);
	world_durable();
	fake_loop_pass(S);
	p = world_pending(A);
	assert_non_null(p);
	assert_non_null(strstr(p->fields, "Packetboat-Signature: t="));
	assert_non_null(strstr(p->fields, ",v1="));
	assert_non_null(strstr(p->fields, "Packetboat-Hook: 1\n"));
}

static void
test_sender_other_accounts_and_kinds_are_not_sent(void **state)
{
	struct ipc_hook m = { .hook = 1,
		.account = 7,
		.url = STR(A),
		.kinds = 1ULL << EVENT_bounce,
		.created_us = FAKE_START_US };

	(void)state;
	world_tell(&m);
	world_hooks_end();
	(void)world_events(7, 1, 5);
	(void)world_events(8, 1, 5);
	world_durable();
	fake_loop_pass(5 * S);
	assert_null(world_pending(A));
	m.kinds = 1ULL << EVENT_delivery;
	world_tell(&m);
	(void)world_events(7, 6, 1);
	world_durable();
	fake_loop_pass(5 * S);
	assert_numbers(world_pending(A), "6");
}

static void
test_sender_failure_is_repeated_by_schedule_in_order(void **state)
{
	static const uint64_t waits[] = { 10, 60, 600, 600 };

	(void)state;
	(void)begin_one();
	(void)world_events(7, 1, 3);
	world_durable();
	fake_loop_pass(S);
	for (size_t i = 0; i < array_len(waits); i++) {
		assert_numbers(world_pending(A), "1 2 3");
		world_answer(world_pending(A), i == 0 ? 0 : 503, NULL);
		fake_loop_pass(waits[i] * S - S / 10);
		assert_null(world_pending(A));
		fake_loop_pass(S / 5);
	}
	(void)world_events(7, 4, 1);
	world_durable();
	world_answer(world_pending(A), 200, NULL);
	assert_int_equal(take_all(A, 4), 5);
}

static void
test_sender_redirects_are_failures(void **state)
{
	(void)state;
	(void)begin_one();
	(void)world_events(7, 1, 1);
	world_durable();
	fake_loop_pass(S);
	world_answer(world_pending(A), 302, NULL);
	fake_loop_pass(11 * S);
	assert_numbers(world_pending(A), "1");
}

static void
test_sender_obeys_retry_after_within_bounds(void **state)
{
	(void)state;
	(void)begin_one();
	(void)world_events(7, 1, 1);
	world_durable();
	fake_loop_pass(S);
	world_answer(world_pending(A), 429, "120");
	fake_loop_pass(119 * S);
	assert_null(world_pending(A));
	fake_loop_pass(2 * S);
	world_answer(world_pending(A), 503, "1000000000");
	fake_loop_pass(3599 * S);
	assert_null(world_pending(A));
	fake_loop_pass(2 * S);
	world_answer(world_pending(A), 503, "0");
	fake_loop_pass(2 * S);
	assert_non_null(world_pending(A));
}

static void
test_sender_dead_endpoint_delays_no_other(void **state)
{
	(void)state;
	(void)world_hook(2, 7, B);
	(void)begin_one();
	for (unsigned i = 0; i < 20; i++) {
		struct world_post *p;

		(void)world_events(7, i * 500, 500);
		world_durable();
		p = world_pending(A);
		if (p != NULL) {
			world_answer(p, 500, NULL);
		}
		p = world_pending(B);
		assert_non_null(p);
		world_answer(p, 200, NULL);
	}
	fake_loop_pass(700 * S);
	assert_int_equal(take_all(A, 0), 10000);
}

static void
test_sender_backlog_beyond_memory_is_read_from_the_journal(void **state)
{
	unsigned n = 0;

	(void)state;
	(void)begin_one();
	(void)world_events(7, 0, 500);
	world_durable();
	world_answer(world_pending(A), 500, NULL);
	for (n = 500; n < 40000; n += 500) {
		(void)world_events(7, n, 500);
		world_durable();
		if (n % 10000 == 0) {
			world_next_file();
		}
	}
	fake_loop_pass(11 * S);
	assert_int_equal(take_all(A, 0), n);
}

static void
test_sender_restart_goes_on_behind_what_was_taken(void **state)
{
	(void)state;
	(void)begin_one();
	(void)world_events(7, 0, 1200);
	world_durable();
	world_answer(world_pending(A), 200, NULL);
	fake_loop_pass(S);
	world_end(true);

	world_begin(true);
	(void)begin_one();
	assert_int_equal(take_all(A, 500), 1200);
}

static void
test_sender_kill_before_the_save_repeats_and_loses_nothing(void **state)
{
	(void)state;
	(void)begin_one();
	fake_loop_pass(40 * S);
	(void)world_events(7, 0, 600);
	world_durable();
	world_answer(world_pending(A), 200, NULL);
	world_end(true); /* less than the second of the save */

	world_begin(true);
	(void)begin_one();
	assert_int_equal(take_all(A, 0), 600);
}

static void
test_sender_new_endpoint_gets_events_since_it_was_added(void **state)
{
	struct ipc_hook m = { .hook = 1, .account = 7, .url = STR(A) };

	(void)state;
	(void)world_events(7, 0, 10);
	fake_loop_pass(10 * S);
	m.created_us = clock_wall_us();
	world_next_file();
	(void)world_events(7, 10, 10);
	world_next_file();
	(void)world_events(7, 20, 10);
	world_tell(&m);
	world_hooks_end();
	world_durable();
	assert_int_equal(take_all(A, 10), 30);
}

/* Answers 500 to all until so many events are dead letters. */
static void
fail_until_dead(struct hook *h, uint64_t events)
{
	for (unsigned i = 0; i < 400 && dead_events(&h->dead) < events; i++) {
		struct world_post *p = world_pending(A);

		if (p != NULL) {
			world_answer(p, 500, NULL);
		}
		fake_loop_pass(700 * S);
	}
	assert_int_equal(dead_events(&h->dead), events);
}

static void
test_sender_events_too_old_become_dead_letters(void **state)
{
	struct hook *h = begin_one();

	(void)state;
	(void)world_events(7, 0, 6000);
	world_durable();
	world_answer(world_pending(A), 500, NULL);
	fake_loop_pass(86500 * S / 2);
	(void)world_events(7, 6000, 10);
	world_durable();
	fail_until_dead(h, 6000);
	assert_int_equal(h->dead.n, 1);
	fake_loop_pass(700 * S);
	assert_int_equal(take_all(A, 6000), 6010);
}

/* 600 dead letters, then ten that were taken. */
static struct hook *
begin_with_dead(void)
{
	struct hook *h = begin_one();

	(void)world_events(7, 0, 600);
	world_durable();
	fail_until_dead(h, 600);
	(void)world_events(7, 600, 10);
	world_durable();
	assert_int_equal(take_all(A, 600), 610);
	return h;
}

static void
test_sender_dead_letters_are_sent_again_and_nothing_else(void **state)
{
	struct hook *h = begin_with_dead();

	(void)state;
	assert_int_equal(reading_redo(h), 600);
	assert_int_equal(reading_redo(h), 0);
	assert_int_equal(take_all(A, 0), 600);
	assert_int_equal(h->dead.n, 0);
	(void)world_events(7, 610, 5);
	world_durable();
	assert_int_equal(take_all(A, 610), 615);
}

static void
test_sender_events_wait_for_dead_letters_that_are_sent_again(void **state)
{
	struct hook *h = begin_with_dead();
	struct world_post *p;

	(void)state;
	(void)reading_redo(h);
	fake_loop_pass(S);
	p = world_pending(A);
	assert_non_null(p);
	(void)world_events(7, 600, 5);
	world_durable();
	world_answer(p, 200, NULL);
	assert_int_equal(take_all(A, 500), 605);
}

static void
test_sender_dead_letters_asked_for_survive_a_restart(void **state)
{
	struct hook *h = begin_with_dead();

	(void)state;
	(void)reading_redo(h);
	fake_loop_pass(S);
	world_answer(world_pending(A), 200, NULL); /* 500 of them */
	fake_loop_pass(S);
	world_end(true);

	world_begin(true);
	h = begin_one();
	assert_int_equal(dead_events(&h->dead), 100);
	assert_int_equal(take_all(A, 500), 600);
	assert_int_equal(h->dead.n, 0);
	(void)world_events(7, 610, 1);
	world_durable();
	assert_int_equal(take_all(A, 610), 611);
}

static void
test_sender_dead_letters_that_fail_again_stay_dead_letters(void **state)
{
	struct hook *h = begin_with_dead();

	(void)state;
	(void)reading_redo(h);
	for (unsigned i = 0; i < 300; i++) {
		fake_loop_pass(700 * S);
		if (world_pending(A) != NULL) {
			world_answer(world_pending(A), 500, NULL);
		}
	}
	assert_int_equal(dead_events(&h->dead), 600);
	assert_int_equal(h->redo_until, 0);
	(void)world_events(7, 610, 1);
	world_durable();
	assert_int_equal(take_all(A, 610), 611);
}

static void
test_sender_dead_letters_are_forgotten_while_being_sent(void **state)
{
	struct hook *h = begin_with_dead();

	(void)state;
	(void)reading_redo(h);
	fake_loop_pass(S);
	assert_int_equal(reading_forget_dead(h), 600);
	world_answer(world_pending(A), 500, NULL);
	(void)world_events(7, 610, 1);
	world_durable();
	fake_loop_pass(700 * S);
	assert_int_equal(take_all(A, 610), 611);
	assert_int_equal(h->dead.n, 0);
}

static void
test_sender_replayed_events_have_their_time_again(void **state)
{
	const uint64_t start = clock_wall_us();
	struct hook *h = begin_with_dead();

	(void)state;
	reading_replay_time(h, start);
	fake_loop_pass(S);
	world_answer(world_pending(A), 500, NULL);
	assert_int_equal(dead_events(&h->dead), 600);
	fake_loop_pass(20 * S);
	assert_int_equal(take_all(A, 0), 610);
}

static void
test_sender_replay_asked_for_during_a_request_is_not_lost(void **state)
{
	const uint64_t start = clock_wall_us();
	struct hook *h = begin_one();

	(void)state;
	(void)world_events(7, 0, 10);
	world_durable();
	assert_int_equal(take_all(A, 0), 10);
	(void)world_events(7, 10, 1);
	world_durable();
	fake_loop_pass(S);
	assert_non_null(world_pending(A));
	reading_replay_time(h, start);
	world_answer(world_pending(A), 200, NULL);
	assert_int_equal(h->gaps, 0);
	assert_int_equal(take_all(A, 0), 11);
}

static void
on_wait(void *arg, int status)
{
	*(int *)arg = status;
}

static void
test_sender_replay_is_saved_before_it_is_begun(void **state)
{
	const uint64_t start = clock_wall_us();
	int status = 1;
	struct progress_wait wait = { .fn = on_wait, .arg = &status };
	struct hook *h = begin_one();

	(void)state;
	(void)world_events(7, 0, 10);
	fake_loop_pass(100 * S);
	(void)world_events(7, 10, 10);
	world_durable();
	assert_int_equal(take_all(A, 0), 20);
	world.holds_files = true;
	reading_replay_time(h, start + 50 * S);
	progress_wait(&wait);
	fake_loop_pass(S);
	assert_int_equal(status, 0);
	world_end(true);

	world.holds_files = false;
	world_begin(true);
	(void)begin_one();
	assert_int_equal(take_all(A, 10), 20);
}

static void
test_sender_endpoint_that_only_fails_is_disabled(void **state)
{
	struct ipc_hook m = { .hook = 1,
		.account = 7,
		.url = STR(A),
		.is_disabled = 1,
		.created_us = FAKE_START_US };
	struct hook *h = begin_one();
	unsigned requests;

	(void)state;
	world_conf.webhook_disable_time = 3600 * S;
	(void)world_events(7, 0, 3);
	world_durable();
	for (unsigned i = 0; i < 20 && !h->is_disabled; i++) {
		fake_loop_pass(700 * S);
		assert_non_null(world_pending(A));
		world_answer(world_pending(A), 500, NULL);
	}
	assert_true(h->is_disabled && h->is_given_up);
	requests = world.n_posts;
	fake_loop_pass(86400 * S);
	assert_int_equal(world.n_posts, requests);
	world_tell(&m);
	m.is_disabled = 0;
	world_tell(&m);
	assert_int_equal(h->failing_us, 0);
	assert_int_equal(take_all(A, 0), 3);
}

static void
test_sender_one_success_begins_the_time_to_disabling_anew(void **state)
{
	struct hook *h = begin_one();

	(void)state;
	world_conf.webhook_disable_time = 3600 * S;
	for (unsigned i = 0; i < 50; i++) {
		(void)world_events(7, i, 1);
		world_durable();
		fake_loop_pass(700 * S);
		world_answer(world_pending(A), i % 5 == 4 ? 200 : 500, NULL);
	}
	assert_false(h->is_disabled);
}

static void
test_sender_removed_files_are_a_gap_and_no_end(void **state)
{
	struct hook *h = begin_one();

	(void)state;
	(void)world_events(7, 0, 500);
	world_durable();
	world_answer(world_pending(A), 500, NULL);
	for (unsigned n = 500; n < 10000; n += 500) {
		(void)world_events(7, n, 500);
		world_durable();
	}
	world_next_file();
	(void)world_events(7, 10000, 100);
	world_remove_file(1);
	world_durable();
	fake_loop_pass(11 * S);
	assert_int_equal(take_all(A, 10000), 10100);
	assert_true(h->gaps >= 1);
}

static void
test_sender_gone_endpoint_is_left_alone(void **state)
{
	struct ipc_hook m = { .hook = 1,
		.account = 7,
		.url = STR(A),
		.created_us = FAKE_START_US };
	struct hook *h = begin_one();

	(void)state;
	(void)world_events(7, 1, 1);
	world_durable();
	fake_loop_pass(S);
	world_answer(world_pending(A), 410, NULL);
	assert_true(h->is_disabled);
	fake_loop_pass(100000 * S);
	assert_null(world_pending(A));
	world_tell(&m); /* accountd did not know of it yet */
	assert_true(h->is_disabled);
	m.is_disabled = 1;
	world_tell(&m);
	m.is_disabled = 0;
	world_tell(&m);
	fake_loop_pass(2 * S);
	assert_numbers(world_pending(A), "1");
}

static void
test_sender_too_large_makes_smaller_batches(void **state)
{
	struct world_post *p;

	(void)state;
	(void)begin_one();
	(void)world_events(7, 0, 500);
	world_durable();
	world_answer(world_pending(A), 413, NULL);
	fake_loop_pass(11 * S);
	p = world_pending(A);
	assert_non_null(p);
	assert_int_equal(
	    json_array_size(json_object_get(p->events, "events")), 250);
}

static void
test_sender_batch_size_bounds_the_body(void **state)
{
	struct world_post *p;

	(void)state;
	(void)begin_one();
	world_conf.webhook_batch_size = 20000;
	(void)world_events(7, 0, 500);
	world_durable();
	p = world_pending(A);
	assert_non_null(p);
	assert_true(strlen(p->body) <= 20000 + 4);
	assert_int_equal(take_all(A, 0), 500);
}

static void
test_sender_replays_from_a_record_or_a_time(void **state)
{
	const uint64_t start = clock_wall_us();
	struct hook *h = begin_one();
	uint64_t lsn;

	(void)state;
	(void)world_events(7, 0, 10);
	fake_loop_pass(100 * S);
	lsn = world_events(7, 10, 10);
	world_durable();
	assert_int_equal(take_all(A, 0), 20);
	reading_replay_lsn(h, lsn);
	assert_int_equal(take_all(A, 10), 20);
	reading_replay_time(h, start + 50 * S);
	assert_int_equal(take_all(A, 10), 20);
	reading_replay_time(h, start);
	assert_int_equal(take_all(A, 0), 20);
}

static void
test_sender_deleted_endpoint_is_forgotten_while_posting(void **state)
{
	const struct ipc_hook gone = {
		.hook = 1, .account = 7, .is_deleted = 1
	};

	(void)state;
	(void)begin_one();
	(void)world_events(7, 1, 1);
	world_durable();
	fake_loop_pass(S);
	assert_non_null(world_pending(A));
	world_tell(&gone);
	assert_null(world_pending(A));
	assert_int_equal(hooks_count(), 0);
	(void)world_events(7, 2, 1);
	world_durable();
	fake_loop_pass(S);
}

static void
test_sender_waits_for_journal_files_of_before(void **state)
{
	(void)state;
	world_next_file();
	(void)begin_one();
	world_next_file();
	world.holds_files = true;
	(void)world_events(7, 1, 3);
	world_durable();
	fake_loop_pass(10 * S);
	assert_null(world_pending(A));
	world.holds_files = false;
	world_durable();
	fake_loop_pass(2 * S);
	assert_numbers(world_pending(A), "1 2 3");
}

static void
test_sender_loses_nothing_when_qmgr_starts_again(void **state)
{
	(void)state;
	(void)begin_one();
	(void)world_events(7, 0, 10);
	world_new_qmgr();
	world_next_file();
	(void)world_events(7, 10, 10);
	world_durable();
	assert_int_equal(take_all(A, 0), 20);
}

static void
test_sender_joins_events_with_their_message(void **state)
{
	struct event_accepted acc = { .time_us = FAKE_START_US + 1,
		.msgid = { { 5 } },
		.account = 7,
		.subject = STR("Your order") };
	struct event_delivery e = { .time_us = FAKE_START_US + 2,
		.msgid = { { 5 } },
		.account = 7,
		.attempt = 1 };
	struct event_delivery report;
	json_t *d;

	(void)state;
	(void)begin_one();
	e.accept_lsn = world_event(EVENT_accepted, &acc);
	acc.inbound = 1;
	report = e;
	report.accept_lsn = world_event(EVENT_accepted, &acc);
	world_next_file();
	(void)world_event(EVENT_delivery, &report);
	(void)world_event(EVENT_delivery, &e);
	world_durable();
	fake_loop_pass(2 * S);
	assert_numbers(world_pending(A), "1");
	d = json_object_get(
	    json_array_get(
		json_object_get(world_pending(A)->events, "events"), 0),
	    "details");
	assert_string_equal(
	    json_string_value(json_object_get(d, "subject")), "Your order");
}

static void
test_sender_refused_url_is_never_posted(void **state)
{
	(void)state;
	(void)world_hook(2, 7, "http://8.8.8.8/x");
	(void)world_hook(3, 7, "https://127.0.0.1/x");
	(void)begin_one();
	(void)world_events(7, 1, 1);
	world_durable();
	fake_loop_pass(5 * S);
	assert_non_null(world_pending(A));
	assert_int_equal(world.n_posts, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_sender_waits_for_company_then_posts_in_order),
		T(test_sender_full_batch_goes_at_once),
		T(test_sender_signs_and_names_the_hook),
		T(test_sender_other_accounts_and_kinds_are_not_sent),
		T(test_sender_failure_is_repeated_by_schedule_in_order),
		T(test_sender_redirects_are_failures),
		T(test_sender_obeys_retry_after_within_bounds),
		T(test_sender_dead_endpoint_delays_no_other),
		T(test_sender_backlog_beyond_memory_is_read_from_the_journal),
		T(test_sender_restart_goes_on_behind_what_was_taken),
		T(test_sender_kill_before_the_save_repeats_and_loses_nothing),
		T(test_sender_new_endpoint_gets_events_since_it_was_added),
		T(test_sender_events_too_old_become_dead_letters),
		T(test_sender_dead_letters_are_sent_again_and_nothing_else),
		T(test_sender_events_wait_for_dead_letters_that_are_sent_again),
		T(test_sender_dead_letters_asked_for_survive_a_restart),
		T(test_sender_dead_letters_that_fail_again_stay_dead_letters),
		T(test_sender_dead_letters_are_forgotten_while_being_sent),
		T(test_sender_replayed_events_have_their_time_again),
		T(test_sender_replay_asked_for_during_a_request_is_not_lost),
		T(test_sender_replay_is_saved_before_it_is_begun),
		T(test_sender_endpoint_that_only_fails_is_disabled),
		T(test_sender_one_success_begins_the_time_to_disabling_anew),
		T(test_sender_removed_files_are_a_gap_and_no_end),
		T(test_sender_gone_endpoint_is_left_alone),
		T(test_sender_too_large_makes_smaller_batches),
		T(test_sender_batch_size_bounds_the_body),
		T(test_sender_replays_from_a_record_or_a_time),
		T(test_sender_deleted_endpoint_is_forgotten_while_posting),
		T(test_sender_waits_for_journal_files_of_before),
		T(test_sender_loses_nothing_when_qmgr_starts_again),
		T(test_sender_joins_events_with_their_message),
		T(test_sender_refused_url_is_never_posted),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
