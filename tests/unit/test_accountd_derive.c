#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "derive.h"
#include "event.h"
#include "loop.h"
#include "suppressions.h"

/* 2026-01-01 00:00:00 UTC. */
#define NEW_YEAR (1767225600ULL * US_PER_S)
#define DAY (86400 * US_PER_S)

enum { SHOP = 1, NEWS = 2, OTHER = 3 };

struct world {
	char path[64];
	struct store *store;
	struct model *model;
	struct derive d;
	struct store_txn *txn;
};

static void
add_account(struct world *w, uint32_t id, uint32_t parent, const char *name)
{
	const struct schema_account a = {
		.id = id, .parent = parent, .name = str_of(name)
	};
	struct change *c = change_begin(w->model);

	assert_int_equal(change_put(c, SCHEMA_account, &a), 0);
	assert_int_equal(change_commit(&c), 0);
}

static void
open_all(struct world *w)
{
	const struct store_options o = { .directory = w->path,
		.cache_size = 1 << 20 };
	struct buf error = { 0 };

	assert_int_equal(store_open(&o, &w->store, &error), 0);
	assert_int_equal(model_load(w->store, &w->model, &error), 0);
	w->d.store = w->store;
	w->d.model = w->model;
	assert_int_equal(tallies_load(w->store, &w->d.tallies), 0);
	assert_int_equal(warm_counts_load(w->store, &w->d.warm), 0);
	assert_int_equal(notices_load(w->store, 3, DAY, &w->d.notices), 0);
}

static void
close_all(struct world *w)
{
	store_abort(&w->txn);
	tallies_free(&w->d.tallies);
	warm_counts_free(&w->d.warm);
	notices_free(&w->d.notices);
	store_close(&w->store);
	model_free(&w->model);
}

static int
setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));

	loop_init();
	snprintf(w->path, sizeof(w->path), "/tmp/test_derive.XXXXXX");
	assert_non_null(mkdtemp(w->path));
	open_all(w);
	add_account(w, SHOP, 0, "shop");
	add_account(w, NEWS, SHOP, "news");
	add_account(w, OTHER, 0, "other");
	assert_int_equal(suppress_steps_parse("7d 30d never",
			     &w->d.times.of[SUPPRESSION_HARD_BOUNCE]),
	    0);
	assert_int_equal(
	    suppress_steps_parse("365d", &w->d.times.of[SUPPRESSION_SPAM]), 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	close_all(w);
	snprintf(command, sizeof(command), "rm -r %s", w->path);
	assert_int_equal(system(command), 0);
	free(w);
	loop_fini();
	return 0;
}

static void
nothing(struct tallied *x, void *arg)
{
	(void)x;
	(void)arg;
}

static void
begin(struct world *w)
{
	assert_int_equal(store_begin(w->store, &w->txn), 0);
}

static void
commit(struct world *w)
{
	assert_int_equal(tallies_write(w->d.tallies, w->txn), 0);
	assert_int_equal(warm_counts_write(w->d.warm, w->txn), 0);
	assert_int_equal(notices_write(w->d.notices, w->txn), 0);
	assert_int_equal(store_commit(&w->txn), 0);
	tallies_written(w->d.tallies, nothing, NULL);
	warm_counts_written(w->d.warm);
	(void)notices_written(w->d.notices);
}

static void
happens(struct world *w, enum event_type type, const void *event)
{
	struct buf rec = { 0 };

	assert_int_equal(event_encode(&rec, type, event), 0);
	assert_int_equal(derive_event(&w->d, w->txn, type, buf_str(&rec)), 0);
	buf_fini(&rec);
}

#define ABOUT(a, s, t)                                                         \
	.time_us = (t), .msgid = { { 1 } }, .accept_lsn = 1, .account = (a),   \
	.subaccount = (s)

static void
bounces(struct world *w, uint32_t sub, const char *address, uint64_t time)
{
	const struct event_bounce e = { ABOUT(SHOP, sub, time),
		.rcpt_to = str_of(address), .class = STR("bad_mailbox"),
		.smtp_text = STR("550 5.1.1 no such user"), .is_hard = 1 };

	begin(w);
	happens(w, EVENT_bounce, &e);
	commit(w);
}

static int
find(struct world *w, uint32_t sub, const char *address, uint64_t now)
{
	return suppressions_find(w->store, SHOP, sub, str_of(address), now);
}

static uint64_t
total(struct world *w, uint32_t id, enum tally_counter c)
{
	const struct tallied *x = tallies_find(w->d.tallies, id);

	return x != NULL ? tally_get(&x->t, c, TALLY_TOTAL, NEW_YEAR) : 0;
}

/* ---- counting -------------------------------------------------------------
 */

static void
test_derive_events_count_for_account_and_subaccount(void **state)
{
	struct world *w = *state;
	const struct event_accepted a = { ABOUT(SHOP, NEWS, NEW_YEAR),
		.nrcpt = 3 };
	const struct event_delivery d = { ABOUT(SHOP, 0, NEW_YEAR) };

	begin(w);
	happens(w, EVENT_accepted, &a);
	happens(w, EVENT_delivery, &d);
	commit(w);
	assert_int_equal(total(w, SHOP, TALLY_SENT), 3);
	assert_int_equal(total(w, NEWS, TALLY_SENT), 3);
	assert_int_equal(total(w, SHOP, TALLY_DELIVERED), 1);
	assert_int_equal(total(w, NEWS, TALLY_DELIVERED), 0);
	assert_int_equal(total(w, OTHER, TALLY_SENT), 0);
}

static void
test_derive_reports_and_test_mail_are_not_sent_mail(void **state)
{
	struct world *w = *state;
	struct event_accepted a = { ABOUT(SHOP, 0, NEW_YEAR), .nrcpt = 1 };
	const struct event_delivery d = { ABOUT(SHOP, 0, NEW_YEAR),
		.class = STR("test") };

	begin(w);
	a.flags = MESSAGE_TEST;
	happens(w, EVENT_accepted, &a);
	a.flags = MESSAGE_OWN_DSN;
	happens(w, EVENT_accepted, &a);
	a.flags = 0;
	a.inbound = 1;
	happens(w, EVENT_accepted, &a);
	happens(w, EVENT_delivery, &d);
	commit(w);
	assert_int_equal(total(w, SHOP, TALLY_SENT), 0);
	assert_int_equal(total(w, SHOP, TALLY_DELIVERED), 0);
}

static void
test_derive_events_of_unknown_accounts_have_no_effect(void **state)
{
	struct world *w = *state;
	const struct event_bounce e = { ABOUT(99, 0, NEW_YEAR),
		.rcpt_to = STR("bob@example.org"), .class = STR("bad_mailbox"),
		.is_hard = 1 };

	begin(w);
	happens(w, EVENT_bounce, &e);
	assert_int_equal(
	    derive_event(&w->d, w->txn, EVENT_bounce, STR("short")), 0);
	assert_null(tallies_changed(w->d.tallies));
	commit(w);
	assert_int_equal(suppressions_find(
			     w->store, 99, 0, STR("bob@example.org"), NEW_YEAR),
	    0);
}

static void
test_derive_aborted_slice_leaves_nothing_in_the_store(void **state)
{
	struct world *w = *state;
	const struct event_bounce e = { ABOUT(SHOP, 0, NEW_YEAR),
		.rcpt_to = STR("bob@example.org"), .class = STR("bad_mailbox"),
		.is_hard = 1 };

	bounces(w, 0, "eve@example.org", NEW_YEAR);
	begin(w);
	happens(w, EVENT_bounce, &e);
	assert_int_equal(tallies_write(w->d.tallies, w->txn), 0);
	close_all(w);
	open_all(w);
	assert_int_equal(total(w, SHOP, TALLY_BOUNCES), 1);
	assert_int_equal(find(w, 0, "bob@example.org", NEW_YEAR), 0);
	assert_int_equal(
	    find(w, 0, "eve@example.org", NEW_YEAR), SUPPRESSION_HARD_BOUNCE);
}

static void
test_derive_tallies_of_deleted_accounts_are_gone(void **state)
{
	struct world *w = *state;

	bounces(w, NEWS, "bob@example.org", NEW_YEAR);
	assert_int_equal(tallies_delete(w->d.tallies, NEWS), 0);
	close_all(w);
	open_all(w);
	assert_null(tallies_find(w->d.tallies, NEWS));
	assert_int_equal(total(w, SHOP, TALLY_BOUNCES), 1);
}

/* ---- suppressing ----------------------------------------------------------
 */

static void
test_derive_hard_bounces_suppress_for_longer_each_time(void **state)
{
	struct world *w = *state;
	uint64_t now = NEW_YEAR;

	bounces(w, 0, "Bob@Example.org", now);
	assert_int_equal(find(w, 0, "bob@example.org", now + 7 * DAY - 1),
	    SUPPRESSION_HARD_BOUNCE);
	assert_int_equal(find(w, 0, "bob@example.org", now + 7 * DAY), 0);
	now += 8 * DAY;
	bounces(w, 0, "bob@example.org", now);
	assert_int_equal(find(w, 0, "bob@example.org", now + 30 * DAY - 1),
	    SUPPRESSION_HARD_BOUNCE);
	assert_int_equal(find(w, 0, "bob@example.org", now + 30 * DAY), 0);
	now += 31 * DAY;
	bounces(w, 0, "bob@example.org", now);
	assert_int_equal(find(w, 0, "bob@example.org", now + 9999 * DAY),
	    SUPPRESSION_HARD_BOUNCE);
}

static void
test_derive_subaccounts_bounce_suppresses_only_there(void **state)
{
	struct world *w = *state;

	bounces(w, NEWS, "bob@example.org", NEW_YEAR);
	assert_int_equal(find(w, NEWS, "bob@example.org", NEW_YEAR),
	    SUPPRESSION_HARD_BOUNCE);
	assert_int_equal(find(w, 0, "bob@example.org", NEW_YEAR), 0);
}

static void
test_derive_an_entry_never_gets_shorter(void **state)
{
	struct world *w = *state;
	const struct event_complaint c = { ABOUT(SHOP, 0, NEW_YEAR),
		.rcpt_to = STR("bob@example.org"),
		.feedback_type = STR("abuse") };

	begin(w);
	happens(w, EVENT_complaint, &c);
	commit(w);
	bounces(w, 0, "bob@example.org", NEW_YEAR + DAY);
	assert_int_not_equal(
	    find(w, 0, "bob@example.org", NEW_YEAR + 365 * DAY - 1), 0);
}

static void
test_derive_facts_about_no_message_of_ours_suppress_nobody(void **state)
{
	struct world *w = *state;
	struct event_complaint c = { .time_us = NEW_YEAR,
		.account = SHOP,
		.rcpt_to = STR("bob@example.org") };

	begin(w);
	happens(w, EVENT_complaint, &c);
	c.msgid.b[0] = 1;
	happens(w, EVENT_complaint, &c);
	commit(w);
	assert_int_equal(find(w, 0, "bob@example.org", NEW_YEAR), 0);
}

static void
test_derive_bounces_that_are_not_the_addresss_fault_do_not(void **state)
{
	struct world *w = *state;
	struct event_bounce e = { ABOUT(SHOP, 0, NEW_YEAR),
		.rcpt_to = STR("bob@example.org"), .class = STR("spam_content"),
		.is_hard = 1 };

	begin(w);
	happens(w, EVENT_bounce, &e);
	e.class = STR("bad_mailbox");
	e.is_hard = 0;
	happens(w, EVENT_bounce, &e);
	commit(w);
	assert_int_equal(find(w, 0, "bob@example.org", NEW_YEAR), 0);
	assert_int_equal(total(w, SHOP, TALLY_BOUNCES), 2);
}

static void
put(struct world *w, uint32_t sub, const char *reason)
{
	const struct schema_suppression e = { .reason = str_of(reason),
		.created_us = NEW_YEAR };

	begin(w);
	assert_int_equal(
	    suppressions_put(w->txn, SHOP, sub, STR("bob@example.org"), &e), 0);
	assert_int_equal(store_commit(&w->txn), 0);
}

static void
test_derive_allowed_addresses_are_never_suppressed(void **state)
{
	struct world *w = *state;

	put(w, 0, SUPPRESSION_ALLOW);
	bounces(w, 0, "bob@example.org", NEW_YEAR);
	bounces(w, NEWS, "bob@example.org", NEW_YEAR);
	assert_int_equal(find(w, 0, "bob@example.org", NEW_YEAR), 0);
	assert_int_equal(find(w, NEWS, "bob@example.org", NEW_YEAR), 0);
}

static void
test_derive_a_subaccount_may_allow_what_the_account_does_not(void **state)
{
	struct world *w = *state;

	put(w, 0, "custom");
	put(w, NEWS, SUPPRESSION_ALLOW);
	assert_int_equal(
	    find(w, 0, "bob@example.org", NEW_YEAR), SUPPRESSION_CUSTOM);
	assert_int_equal(find(w, NEWS, "bob@example.org", NEW_YEAR), 0);
}

static void
test_derive_entries_made_by_hand_stay_as_they_are(void **state)
{
	struct world *w = *state;

	put(w, 0, "custom");
	bounces(w, 0, "bob@example.org", NEW_YEAR);
	assert_int_equal(find(w, 0, "bob@example.org", NEW_YEAR + 99 * DAY),
	    SUPPRESSION_CUSTOM);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#define DAY_1_US (1700000000ULL * US_PER_S)

static void
warm_event(struct world *w, enum event_type type, const char *ip, uint16_t code,
    const char *class)
{
	const struct event_delivery delivery = { ABOUT(SHOP, 0, DAY_1_US),
		.source_ip = str_of(ip), .provider = STR("mail.example"),
		.smtp_code = code };
	const struct event_deferral deferral = { ABOUT(SHOP, 0, DAY_1_US),
		.source_ip = str_of(ip), .provider = STR("mail.example"),
		.smtp_code = code, .class = str_of(class) };

	if (type == EVENT_delivery) {
		happens(w, type, &delivery);
	} else {
		happens(w, type, &deferral);
	}
}

/* Counts of the address at its one provider. */
static struct warmup_count
warm_counts(const struct world *w, const char *ip)
{
	struct warmup_count c = { 0 };
	struct buf b = { 0 };

	warm_counts_of(
	    w->d.warm, str_of(ip), tally_number(TALLY_DAY, DAY_1_US), &b);
	if (b.len == sizeof(c)) {
		memcpy(&c, b.p, sizeof(c));
	}
	buf_fini(&b);
	return c;
}

static void
test_derive_counts_what_warming_addresses_send_over_restarts(void **state)
{
	struct world *w = *state;
	const struct schema_source warming = {
		.ip = STR("192.0.2.1"), .plan = STR("50"), .step = 1
	};
	const struct schema_source plain = { .ip = STR("192.0.2.2") };
	const struct event_complaint complaint = { ABOUT(
	    SHOP, 0, DAY_1_US + 1) };
	struct change *c = change_begin(w->model);
	struct warmup_count n;

	assert_int_equal(change_put(c, SCHEMA_source, &warming), 0);
	assert_int_equal(change_put(c, SCHEMA_source, &plain), 0);
	assert_int_equal(change_commit(&c), 0);
	begin(w);
	warm_event(w, EVENT_delivery, "192.0.2.1", 250, "");
	warm_event(w, EVENT_delivery, "192.0.2.2", 250, "");
	warm_event(w, EVENT_deferral, "192.0.2.1", 451, "rate");
	warm_event(w, EVENT_deferral, "192.0.2.1", 451, "greylist");
	commit(w);
	close_all(w);
	open_all(w);
	begin(w);
	happens(w, EVENT_complaint, &complaint);
	commit(w);
	n = warm_counts(w, "192.0.2.1");
	assert_int_equal(n.tried, 3);
	assert_int_equal(n.delivered, 1);
	assert_int_equal(n.deferred, 1);
	assert_int_equal(n.complaints, 1);
	assert_int_equal(warm_counts(w, "192.0.2.2").tried, 0);
	assert_int_equal(warm_counts_purge(w->d.warm,
			     tally_number(TALLY_DAY, DAY_1_US) + 1, 0),
	    0);
	assert_int_equal(warm_counts(w, "192.0.2.1").tried, 0);
}

/* ---- alerts on their way --------------------------------------------------
 */

static const struct notice *
only_notice(const struct world *w)
{
	size_t at = 0;

	return notices_next(w->d.notices, &at);
}

static void
raise(struct world *w, const char *name, uint64_t time_us)
{
	const struct schema_notice r = { .account = SHOP,
		.name = str_of(name),
		.text = STR("words"),
		.time_us = time_us };

	notices_add(w->d.notices, &r);
}

static void
test_notices_stay_until_they_went_everywhere(void **state)
{
	struct world *w = *state;
	uint64_t id;

	begin(w);
	raise(w, "bounce_rate", NEW_YEAR);
	commit(w);
	assert_false(only_notice(w)->is_durable);
	notices_durable(w->d.notices);
	assert_true(only_notice(w)->is_durable);
	close_all(w);
	open_all(w);
	assert_int_equal(notices_count(w->d.notices), 1);
	id = only_notice(w)->r.id;
	assert_true(str_is(only_notice(w)->r.name, "bounce_rate"));
	notices_done(w->d.notices, id, NOTICE_MAIL);
	notices_done(w->d.notices, id, NOTICE_COMMAND);
	begin(w);
	commit(w);
	close_all(w);
	open_all(w);
	assert_int_equal(only_notice(w)->r.done, NOTICE_MAIL | NOTICE_COMMAND);
	/* The journal says that it has it. */
	begin(w);
	happens(w, EVENT_alert,
	    &(struct event_alert){ ABOUT(SHOP, 0, NEW_YEAR),
		.name = STR("bounce_rate"), .alert_id = id });
	commit(w);
	assert_int_equal(notices_count(w->d.notices), 0);
	close_all(w);
	open_all(w);
	assert_int_equal(notices_count(w->d.notices), 0);
}

static void
test_notices_numbers_rise_although_the_clock_stands(void **state)
{
	struct world *w = *state;

	raise(w, "a", NEW_YEAR);
	raise(w, "b", NEW_YEAR);
	raise(w, "c", NEW_YEAR - DAY);
	assert_true(str_is(notices_find(w->d.notices, NEW_YEAR)->r.name, "a"));
	assert_true(
	    str_is(notices_find(w->d.notices, NEW_YEAR + 1)->r.name, "b"));
	assert_true(
	    str_is(notices_find(w->d.notices, NEW_YEAR + 2)->r.name, "c"));
}

static void
test_notices_beyond_the_limit_or_their_time_are_given_up(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 4; i++) {
		raise(w, "a", NEW_YEAR + i);
	}
	begin(w);
	commit(w);
	assert_int_equal(notices_count(w->d.notices), 3);
	assert_null(notices_find(w->d.notices, NEW_YEAR));
	notices_expire(w->d.notices, NEW_YEAR + DAY + 2);
	begin(w);
	commit(w);
	assert_int_equal(notices_count(w->d.notices), 1);
	assert_non_null(notices_find(w->d.notices, NEW_YEAR + 3));
}

static unsigned n_others;

static void
on_others(const struct account *a, const struct event_alert *e)
{
	n_others++;
	assert_true(a == NULL || a->r.id == NEWS);
	assert_true(str_is(e->name, "queue") || str_is(e->name, "tls"));
}

static void
test_alerts_of_other_processes_are_passed_on(void **state)
{
	struct world *w = *state;

	n_others = 0;
	w->d.others_alert = on_others;
	begin(w);
	happens(w, EVENT_alert,
	    &(struct event_alert){
		ABOUT(SHOP, NEWS, NEW_YEAR), .name = STR("queue") });
	happens(w, EVENT_alert,
	    &(struct event_alert){ ABOUT(0, 0, NEW_YEAR), .name = STR("tls") });
	happens(w, EVENT_alert,
	    &(struct event_alert){
		ABOUT(99, 0, NEW_YEAR), .name = STR("gone") });
	commit(w);
	assert_int_equal(n_others, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_derive_events_count_for_account_and_subaccount),
		T(test_derive_reports_and_test_mail_are_not_sent_mail),
		T(test_derive_events_of_unknown_accounts_have_no_effect),
		T(test_derive_aborted_slice_leaves_nothing_in_the_store),
		T(test_derive_tallies_of_deleted_accounts_are_gone),
		T(test_derive_hard_bounces_suppress_for_longer_each_time),
		T(test_derive_subaccounts_bounce_suppresses_only_there),
		T(test_derive_an_entry_never_gets_shorter),
		T(test_derive_facts_about_no_message_of_ours_suppress_nobody),
		T(test_derive_bounces_that_are_not_the_addresss_fault_do_not),
		T(test_derive_allowed_addresses_are_never_suppressed),
		T(test_derive_a_subaccount_may_allow_what_the_account_does_not),
		T(test_derive_entries_made_by_hand_stay_as_they_are),
		T(test_derive_counts_what_warming_addresses_send_over_restarts),
		T(test_notices_stay_until_they_went_everywhere),
		T(test_notices_numbers_rise_although_the_clock_stands),
		T(test_notices_beyond_the_limit_or_their_time_are_given_up),
		T(test_alerts_of_other_processes_are_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
