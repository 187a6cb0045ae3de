/*
 * Which policy a domain has as time goes by. This file stands in for the
 * questions, the fetches and the thread that saves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "fake_loop.h"
#include "log.h"
#include "resolvd_wire.h"
#include "saver.h"
#include "service.h"
#include "sts.h"

#define FILE_NAME "mta-sts"

static struct conf config;
static struct ask *asked;	  /* the last question */
static struct sts_fetch *fetched; /* the last fetch */
static unsigned n_fetches;
static char directory[] = "/tmp/pb-sts-XXXXXX";

const struct conf *
conf(void)
{
	return &config;
}

void
ask_start(struct ask *a, const char *name, uint16_t type, ask_fn *fn, void *arg)
{
	*a = (struct ask){ .fn = fn, .arg = arg, .state = ASK_SENT };
	str_copy(a->name, sizeof(a->name), str_of(name));
	a->type = type;
	asked = a;
}

void
ask_end(struct ask *a)
{
	if (a->state == ASK_ANSWERED) {
		packet_fini(&a->answer.packet);
	}
	a->state = ASK_IDLE;
}

void
sts_fetch_init(void)
{
}

void
sts_fetch_fini(void)
{
}

void
sts_tools_stop(void)
{
}

void
sts_fetch_start(
    struct sts_fetch *f, const char *domain, sts_fetch_fn *fn, void *arg)
{
	*f = (struct sts_fetch){ .fn = fn, .arg = arg };
	(void)snprintf(f->host, sizeof(f->host), "mta-sts.%s", domain);
	fetched = f;
	n_fetches++;
}

void
sts_fetch_end(struct sts_fetch *f)
{
	fetched = f == fetched ? NULL : fetched;
}

static void
write_file(const char *name, const char *how, struct buf *text)
{
	FILE *f = fopen(name, how);

	assert_non_null(f);
	assert_int_equal(fwrite(text->p, 1, text->len, f), text->len);
	assert_int_equal(fclose(f), 0);
	buf_fini(text);
}

void
saver_start(void)
{
}

void
saver_stop(void)
{
}

void
saver_replace(const char *name, struct buf *text, saver_fn *fn, void *arg)
{
	(void)fn;
	(void)arg;
	write_file(name, "w", text);
}

void
saver_append(
    const char *name, struct buf *text, uint64_t limit, saver_fn *fn, void *arg)
{
	(void)limit;
	(void)fn;
	(void)arg;
	write_file(name, "a", text);
}

/* ---- what tests say ----------------------------------------------------- */

static void
on_done(void *arg)
{
	unsigned *n = arg;

	(*n)++;
}

/* Answers the last question with a record of this id; NULL: there is none. */
static void
answer(const char *id)
{
	char text[64];
	struct wire w;

	assert_non_null(asked);
	if (id == NULL) {
		wire_status(&asked->answer, ANSWER_NXDOMAIN);
	} else {
		(void)snprintf(text, sizeof(text), "v=STSv1; id=%s;", id);
		wire_begin(&w, asked->name, PACKET_TXT, 0);
		wire_txt(&w, text, NULL);
		wire_answer(&w, &asked->answer);
	}
	asked->state = ASK_ANSWERED;
	asked->fn(asked->arg);
	fake_loop_settle();
}

/* Ends the last fetch with a policy; NULL: it failed. */
static void
fetch_ends(const char *mode, unsigned max_age_s)
{
	struct sts_policy p;
	char text[128];
	const char *why;

	assert_non_null(fetched);
	if (mode == NULL) {
		fetched->fn(fetched->arg, NULL, "no luck");
	} else {
		(void)snprintf(text, sizeof(text),
		    "version: STSv1\nmode: %s\nmx: mx.test\nmax_age: %u\n",
		    mode, max_age_s);
		assert_int_equal(sts_policy_parse(str_of(text), &p, &why), 0);
		fetched->fn(fetched->arg, &p, NULL);
		sts_policy_fini(&p);
	}
	fetched = NULL;
	fake_loop_settle();
}

/* A question for the domain's policy whose record has this id; how many
 * fetches it began. It is over unless it waits for one. */
static unsigned
look(struct sts *x, const char *domain, const char *id, unsigned *n_done)
{
	unsigned before = n_fetches;

	*n_done = 0;
	sts_start(x, domain, on_done, n_done);
	answer(id);
	return n_fetches - before;
}

/* The domain has a policy now. */
static void
learn(const char *domain, const char *id, unsigned max_age_s)
{
	struct sts x = { 0 };
	unsigned n_done;

	assert_int_equal(look(&x, domain, id, &n_done), 1);
	assert_int_equal(n_done, 0);
	fetch_ends("enforce", max_age_s);
	assert_int_equal(n_done, 1);
	assert_non_null(sts_policy_of(domain));
}

static int
set_up(void **state)
{
	(void)state;
	config = (struct conf){ .smtp_mta_sts = true,
		.mta_sts_cache_size = 1 << 20,
		.mta_sts_fetch_timeout = 20 * US_PER_S,
		.mta_sts_retry_time = 300 * US_PER_S,
		.mta_sts_retry_time_limit = 1000 * US_PER_S,
		.mta_sts_max_age = STS_MAX_AGE_S * US_PER_S };
	loop_init();
	(void)unlink(FILE_NAME);
	sts_begin();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	sts_stop();
	loop_fini();
	return 0;
}

static void
restart(void)
{
	sts_stop();
	sts_begin();
}

/* ---- facts -------------------------------------------------------------- */

static void
test_domain_without_record_is_not_fetched_for(void **state)
{
	struct sts x = { 0 };
	unsigned n_done;

	(void)state;
	assert_int_equal(look(&x, "a.test", NULL, &n_done), 0);
	assert_string_equal(asked->name, "_mta-sts.a.test");
	assert_int_equal(n_done, 1);
	assert_null(sts_policy_of("a.test"));
	assert_null(sts_cache_find("a.test"));
}

static void
test_policy_holds_until_its_time_is_over(void **state)
{
	struct sts x = { 0 };
	unsigned n_done;

	(void)state;
	learn("a.test", "1", 1000);
	assert_int_equal(look(&x, "a.test", "1", &n_done), 0);
	assert_int_equal(n_done, 1);
	assert_int_equal(look(&x, "a.test", NULL, &n_done), 0);
	fake_loop_pass(999 * US_PER_S);
	assert_non_null(sts_policy_of("a.test"));
	fake_loop_pass(2 * US_PER_S);
	assert_null(sts_policy_of("a.test"));
}

static void
test_policy_is_not_kept_longer_than_the_parameter_says(void **state)
{
	(void)state;
	config.mta_sts_max_age = 60 * US_PER_S;
	learn("a.test", "1", 1000);
	fake_loop_pass(61 * US_PER_S);
	assert_null(sts_policy_of("a.test"));
}

static void
test_half_time_fetches_without_a_wait(void **state)
{
	struct sts x = { 0 };
	unsigned n_done;

	(void)state;
	learn("a.test", "1", 1000);
	fake_loop_pass(501 * US_PER_S);
	assert_int_equal(look(&x, "a.test", "1", &n_done), 1);
	assert_int_equal(n_done, 1);
	fetch_ends("enforce", 1000);
	fake_loop_pass(600 * US_PER_S);
	assert_non_null(sts_policy_of("a.test"));
}

static void
test_new_id_is_waited_for_and_a_failure_keeps_the_policy(void **state)
{
	struct sts x = { 0 };
	unsigned n_done;

	(void)state;
	learn("a.test", "1", 1000);
	assert_int_equal(look(&x, "a.test", "2", &n_done), 1);
	assert_int_equal(n_done, 0);
	fetch_ends(NULL, 0);
	assert_int_equal(n_done, 1);
	assert_string_equal(sts_policy_of("a.test")->id, "1");
	assert_string_equal(
	    sts_cache_find("a.test")->failure->error, "no luck");
}

static void
test_failure_is_not_repeated_before_its_time(void **state)
{
	struct sts x = { 0 };
	unsigned n_done;

	(void)state;
	assert_int_equal(look(&x, "a.test", "1", &n_done), 1);
	fetch_ends(NULL, 0);
	assert_int_equal(n_done, 1);
	fake_loop_pass(100 * US_PER_S);
	assert_int_equal(look(&x, "a.test", "1", &n_done), 0);
	assert_int_equal(n_done, 1);
	assert_in_range(x.ttl_s, 1, 201);
	fake_loop_pass(201 * US_PER_S);
	assert_int_equal(look(&x, "a.test", "1", &n_done), 1);
	fetch_ends("enforce", 1000);
	assert_non_null(sts_policy_of("a.test"));
}

/* A question that ends in a failed fetch; in how many seconds the next may be.
 */
static uint64_t
fail_once(const char *domain, const char *id)
{
	struct sts x = { 0 };
	uint64_t retry_s = 0;
	unsigned n_done;

	assert_int_equal(look(&x, domain, id, &n_done), 1);
	fetch_ends(NULL, 0);
	assert_int_equal(n_done, 1);
	assert_non_null(sts_failure_of(domain, &retry_s));
	retry_s -= clock_wall_us() / US_PER_S;
	assert_true(x.ttl_s <= retry_s);
	return retry_s;
}

/* A question that begins no fetch. */
static void
is_left_alone(const char *domain, const char *id)
{
	struct sts x = { 0 };
	unsigned n_done;

	assert_int_equal(look(&x, domain, id, &n_done), 0);
	assert_int_equal(n_done, 1);
}

static void
test_failures_in_a_row_wait_longer_up_to_a_limit(void **state)
{
	static const uint32_t waits_s[] = { 300, 600, 1000, 1000, 1000 };

	(void)state;
	for (size_t i = 0; i < array_len(waits_s); i++) {
		assert_int_equal(fail_once("a.test", "1"), waits_s[i]);
		fake_loop_pass((waits_s[i] - 2) * US_PER_S);
		is_left_alone("a.test", "1");
		fake_loop_pass(2 * US_PER_S);
	}
	learn("a.test", "1", 100);
	fake_loop_pass(101 * US_PER_S);
	assert_int_equal(fail_once("a.test", "1"), 300);
}

static void
test_changed_id_is_tried_at_once_but_once(void **state)
{
	(void)state;
	(void)fail_once("a.test", "1");
	is_left_alone("a.test", "1");
	assert_int_equal(fail_once("a.test", "2"), 600);
	is_left_alone("a.test", "2");
	learn("a.test", "3", 1000);
	assert_null(sts_cache_find("a.test")->failure);
}

static void
test_many_wait_for_one_failure(void **state)
{
	struct sts x[2] = { 0 };
	unsigned n_done[2];

	(void)state;
	assert_int_equal(look(&x[0], "a.test", "1", &n_done[0]), 1);
	assert_int_equal(look(&x[1], "a.test", "1", &n_done[1]), 0);
	fetch_ends(NULL, 0);
	assert_int_equal(n_done[0] + n_done[1], 2);
	assert_int_equal(sts_cache_find("a.test")->failure->n, 1);
}

static void
test_restart_knows_failures_and_the_policy_before(void **state)
{
	uint64_t retry_s;

	(void)state;
	learn("a.test", "1", 5000);
	(void)fail_once("a.test", "2");
	(void)fail_once("b.test", "1");
	learn("c.test", "1", 5000);
	(void)fail_once("c.test", "2");
	learn("c.test", "3", 5000);
	restart();
	is_left_alone("a.test", "2");
	is_left_alone("b.test", "1");
	is_left_alone("c.test", "3");
	assert_string_equal(sts_policy_of("a.test")->id, "1");
	assert_null(sts_policy_of("b.test"));
	assert_string_equal(
	    sts_failure_of("b.test", &retry_s)->error, "no luck");
	assert_in_range(retry_s, clock_wall_us() / US_PER_S + 290,
	    clock_wall_us() / US_PER_S + 300);
	assert_null(sts_failure_of("c.test", &retry_s));
	fake_loop_pass(301 * US_PER_S);
	assert_int_equal(fail_once("b.test", "1"), 600);
}

static void
test_old_failure_is_forgotten_at_a_restart(void **state)
{
	uint64_t retry_s;

	(void)state;
	(void)fail_once("a.test", "1");
	fake_loop_pass(2001 * US_PER_S);
	assert_non_null(sts_failure_of("a.test", &retry_s));
	restart();
	assert_null(sts_cache_find("a.test"));
}

static void
test_many_wait_for_one_fetch(void **state)
{
	struct sts x[3] = { 0 };
	unsigned n_done[3];

	(void)state;
	assert_int_equal(look(&x[0], "a.test", "1", &n_done[0]), 1);
	assert_int_equal(look(&x[1], "a.test", "1", &n_done[1]), 0);
	assert_int_equal(look(&x[2], "a.test", "1", &n_done[2]), 0);
	sts_end(&x[1]);
	fetch_ends("testing", 1000);
	assert_int_equal(n_done[0], 1);
	assert_int_equal(n_done[1], 0);
	assert_int_equal(n_done[2], 1);
}

static void
test_wait_ends_before_a_fetch_that_takes_too_long(void **state)
{
	struct sts x = { 0 };
	unsigned n_done;

	(void)state;
	assert_int_equal(look(&x, "a.test", "1", &n_done), 1);
	fake_loop_pass(21 * US_PER_S);
	assert_int_equal(n_done, 1);
	assert_null(sts_policy_of("a.test"));
	assert_true(x.ttl_s <= TTL_TEMPORARY_S);
	fetch_ends("enforce", 1000);
	assert_int_equal(n_done, 1);
	assert_non_null(sts_policy_of("a.test"));
}

static void
test_refresh_fetches_what_is_known(void **state)
{
	struct sts x = { 0 };
	unsigned n_done = 0;

	(void)state;
	learn("a.test", "1", 1000);
	sts_refresh(&x, "a.test", on_done, &n_done);
	answer("1");
	assert_int_equal(n_done, 0);
	fetch_ends("testing", 1000);
	assert_int_equal(n_done, 1);
	assert_int_equal(sts_policy_of("a.test")->policy.mode, STS_TESTING);
}

static void
test_switched_off_nothing_is_asked(void **state)
{
	struct sts x = { 0 };
	unsigned n_done = 0;

	(void)state;
	learn("a.test", "1", 1000);
	config.smtp_mta_sts = false;
	asked = NULL;
	sts_start(&x, "a.test", on_done, &n_done);
	fake_loop_settle();
	assert_int_equal(n_done, 1);
	assert_null(asked);
	assert_null(sts_policy_of("a.test"));
}

static void
test_restart_knows_what_was_known(void **state)
{
	(void)state;
	learn("a.test", "1", 1000);
	learn("b.test", "7", 2000);
	restart();
	assert_string_equal(sts_policy_of("a.test")->id, "1");
	fake_loop_pass(1001 * US_PER_S);
	restart();
	assert_null(sts_cache_find("a.test"));
	assert_string_equal(sts_policy_of("b.test")->id, "7");
	assert_int_equal(sts_policy_of("b.test")->policy.mode, STS_ENFORCE);
}

static void
test_restart_passes_over_a_torn_line(void **state)
{
	FILE *f;

	(void)state;
	learn("a.test", "1", 1000);
	f = fopen(FILE_NAME, "a");
	assert_non_null(f);
	assert_true(fputs("b.test 1 enforce 17", f) > 0);
	assert_int_equal(fclose(f), 0);
	restart();
	assert_non_null(sts_policy_of("a.test"));
	assert_null(sts_cache_find("b.test"));
	learn("c.test", "1", 1000);
	restart();
	assert_non_null(sts_policy_of("c.test"));
}

static void
test_cache_keeps_within_its_size(void **state)
{
	char domain[32];

	(void)state;
	config.mta_sts_cache_size = 1 << 16;
	learn("first.test", "1", 1000);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(domain, sizeof(domain), "d%d.test", i);
		learn(domain, "1", 1000);
		assert_non_null(sts_policy_of("first.test")); /* in use */
	}
	assert_null(sts_cache_find("d0.test"));
	assert_non_null(sts_cache_find("d999.test"));
	restart();
	assert_non_null(sts_cache_find("d999.test"));
	assert_null(sts_cache_find("d0.test"));
}

int
main(void)
{
#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		FACT(test_domain_without_record_is_not_fetched_for),
		FACT(test_policy_holds_until_its_time_is_over),
		FACT(test_policy_is_not_kept_longer_than_the_parameter_says),
		FACT(test_half_time_fetches_without_a_wait),
		FACT(test_new_id_is_waited_for_and_a_failure_keeps_the_policy),
		FACT(test_failure_is_not_repeated_before_its_time),
		FACT(test_failures_in_a_row_wait_longer_up_to_a_limit),
		FACT(test_changed_id_is_tried_at_once_but_once),
		FACT(test_many_wait_for_one_failure),
		FACT(test_restart_knows_failures_and_the_policy_before),
		FACT(test_old_failure_is_forgotten_at_a_restart),
		FACT(test_many_wait_for_one_fetch),
		FACT(test_wait_ends_before_a_fetch_that_takes_too_long),
		FACT(test_refresh_fetches_what_is_known),
		FACT(test_switched_off_nothing_is_asked),
		FACT(test_restart_knows_what_was_known),
		FACT(test_restart_passes_over_a_torn_line),
		FACT(test_cache_keeps_within_its_size),
	};
	int failures;

	if (mkdtemp(directory) == NULL || chdir(directory) < 0) {
		return 1;
	}
	log_set_level(LOG_LEVEL_ERROR);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(FILE_NAME);
	(void)rmdir(directory);
	return failures;
}
