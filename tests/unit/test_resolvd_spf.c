/*
 * SPF by libspf2 as resolvd runs it: the table, the rounds, and the cage
 * around them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "address.h"
#include "cage.h"
#include "clock.h"
#include "fake_loop.h"
#include "resolvd_wire.h"
#include "spf_eval.h"
#include "spf_table.h"

#define ROUNDS_MAX 60

/* ---- a zone, asked for one answer after the other ----------------------- */

struct zone_row {
	const char *name;
	uint16_t type;
	const char *value; /* NULL: SERVFAIL */
};

static void
zone_answer(
    const struct zone_row *zone, const struct spf_outcome *o, struct answer *a)
{
	struct wire w;

	wire_begin(&w, o->name, o->type, 0);
	for (; zone->name != NULL; zone++) {
		if (strcmp(zone->name, o->name) != 0 || zone->type != o->type) {
			continue;
		}
		if (zone->value == NULL) {
			buf_fini(&w.b);
			wire_status(a, ANSWER_TEMPORARY);
			return;
		}
		if (o->type == PACKET_TXT) {
			/* long ones in two strings */
			size_t n = strlen(zone->value);
			char first[256] = "";
			size_t half = n > 250 ? 250 : n;

			memcpy(first, zone->value, half);
			wire_txt(&w, first, zone->value + half, NULL);
		} else if (o->type == PACKET_MX) {
			wire_mx(&w, 10, zone->value);
		} else if (o->type == PACKET_PTR) {
			struct buf b = { 0 };

			wire_name(&b, zone->value);
			wire_rr(&w, o->name, PACKET_PTR, 5, b.p, b.len);
			buf_fini(&b);
		} else {
			wire_a(&w, zone->value);
		}
	}
	wire_answer(&w, a);
}

/* Evaluates as resolvd does, without the cage. Returns the questions. */
static unsigned
replay(const struct zone_row *zone, const char *ip, struct spf_outcome *o)
{
	struct spf_table t = { 0 };
	struct spf_job job = {
		.table = &t, .sender = "user@example.com", .own = "own.test"
	};
	unsigned rounds = 0;

	assert_int_equal(address_parse(str_of(ip), &job.ip), 0);
	for (;; rounds++) {
		struct answer a;

		assert_true(rounds < ROUNDS_MAX);
		spf_eval(&job, o);
		if (o->verdict != SPF_QUESTION) {
			break;
		}
		assert_null(spf_table_find(&t, o->name, o->type));
		zone_answer(zone, o, &a);
		spf_table_add(&t, o->name, o->type, &a);
		packet_fini(&a.packet);
	}
	spf_table_fini(&t);
	return rounds;
}

static enum spf_verdict
verdict(const struct zone_row *zone, const char *ip)
{
	struct spf_outcome o;

	(void)replay(zone, ip, &o);
	return o.verdict;
}

static const struct zone_row usual[] = {
	{ "example.com", PACKET_TXT,
	    "v=spf1 ip4:192.0.2.0/28 a mx include:inc.test -all" },
	{ "example.com", PACKET_A, "192.0.2.100" },
	{ "example.com", PACKET_MX, "mx.example.com" },
	{ "mx.example.com", PACKET_A, "192.0.2.101" },
	{ "inc.test", PACKET_TXT, "v=spf1 ip6:2001:db8::/32 ?all" },
	{ NULL, 0, NULL },
};

static void
test_spf_asks_for_what_it_needs_and_no_more(void **state)
{
	struct spf_outcome o;

	(void)state;
	assert_int_equal(replay(usual, "192.0.2.1", &o), 1);
	assert_int_equal(o.verdict, SPF_PASS);
	assert_int_equal(replay(usual, "192.0.2.100", &o), 2);
	assert_int_equal(o.verdict, SPF_PASS);
	assert_int_equal(replay(usual, "192.0.2.101", &o), 4);
	assert_int_equal(o.verdict, SPF_PASS);
	assert_int_equal(replay(usual, "192.0.2.200", &o), 5);
	assert_int_equal(o.verdict, SPF_FAIL);
}

static void
test_spf_knows_ipv6_and_mapped_ipv4(void **state)
{
	(void)state;
	assert_int_equal(verdict(usual, "2001:db8::7"), SPF_PASS);
	assert_int_equal(verdict(usual, "2001:db9::7"), SPF_FAIL);
	assert_int_equal(verdict(usual, "::ffff:192.0.2.1"), SPF_PASS);
}

static void
test_spf_failed_question_is_temporary(void **state)
{
	static const struct zone_row first[] = {
		{ "example.com", PACKET_TXT, NULL }, { NULL, 0, NULL }
	};
	static const struct zone_row later[] = { { "example.com", PACKET_TXT,
						     "v=spf1 a -all" },
		{ "example.com", PACKET_A, NULL }, { NULL, 0, NULL } };

	(void)state;
	assert_int_equal(verdict(first, "192.0.2.1"), SPF_TEMPERROR);
	assert_int_equal(verdict(later, "192.0.2.1"), SPF_TEMPERROR);
}

static void
test_spf_mistakes_are_permanent_errors(void **state)
{
	static const struct zone_row syntax[] = {
		{ "example.com", PACKET_TXT, "v=spf1 ipp4:1.2.3.4 -all" },
		{ NULL, 0, NULL }
	};
	static const struct zone_row loop[] = {
		{ "example.com", PACKET_TXT, "v=spf1 include:b.test -all" },
		{ "b.test", PACKET_TXT, "v=spf1 include:example.com -all" },
		{ NULL, 0, NULL }
	};
	static const struct zone_row many[] = {
		{ "example.com", PACKET_TXT,
		    "v=spf1 a:a.t a:b.t a:c.t a:d.t "
		    "a:e.t a:f.t a:g.t a:h.t a:i.t a:j.t a:k.t -all" },
		{ NULL, 0, NULL }
	};
	static const struct zone_row none[] = { { NULL, 0, NULL } };

	(void)state;
	assert_int_equal(verdict(syntax, "192.0.2.1"), SPF_PERMERROR);
	assert_int_equal(verdict(loop, "192.0.2.1"), SPF_PERMERROR);
	assert_int_equal(verdict(many, "192.0.2.1"), SPF_PERMERROR);
	assert_int_equal(verdict(none, "192.0.2.1"), SPF_NONE);
}

/* A hostile explanation, with which Debian's library smashes its stack. */
static const struct zone_row *
hostile_zone(void)
{
	static char text[400];
	static struct zone_row zone[] = { { "example.com", PACKET_TXT,
					      "v=spf1 exp=exp.test -all" },
		{ "exp.test", PACKET_TXT, text }, { NULL, 0, NULL } };

	text[0] = '\0';
	while (strlen(text) < 340) {
		strcat(text, "%{d1r-}a");
	}
	return zone;
}

static void
test_spf_hostile_explanation_is_never_looked_at(void **state)
{
	struct spf_outcome o;

	(void)state;
	assert_int_equal(replay(hostile_zone(), "192.0.2.1", &o), 1);
	assert_int_equal(o.verdict, SPF_FAIL);
}

/* The hook alone holds too, should a record come past the filter. */
static void
test_spf_hook_replaces_the_explanation(void **state)
{
	const struct zone_row *zone = hostile_zone();
	struct spf_table t = { 0 };
	struct spf_job job = {
		.table = &t, .sender = "user@example.com", .own = "own.test"
	};
	struct spf_outcome o = { .type = PACKET_TXT };

	(void)state;
	assert_int_equal(address_parse(STR("192.0.2.1"), &job.ip), 0);
	for (size_t i = 0; i < 2; i++) {
		struct spf_entry *e;
		struct answer a;

		(void)snprintf(o.name, sizeof(o.name), "%s", zone[i].name);
		zone_answer(zone, &o, &a);
		spf_table_add(&t, zone[i].name, PACKET_TXT, &a);
		packet_fini(&a.packet);
		e = t.entries[i];
		e->status = ANSWER_DATA;
		e->n = 1;
		e->records[0] = str_of(zone[i].value);
	}
	spf_eval(&job, &o);
	assert_int_equal(o.verdict, SPF_FAIL);
	spf_table_fini(&t);
}

/* ---- the table and the outcome ------------------------------------------ */

static void
test_spf_table_keeps_records_without_explanations(void **state)
{
	const struct spf_entry *e;
	struct spf_table t = { 0 };
	struct answer a;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_TXT, 0);
	wire_txt(&w, "v=spf1 a EXP=x.test mx exp=%{d} -all", NULL);
	wire_txt(&w, "something else", NULL);
	wire_answer(&w, &a);
	spf_table_add(&t, "A.test.", PACKET_TXT, &a);
	packet_fini(&a.packet);
	e = spf_table_find(&t, "a.TEST", PACKET_TXT);
	assert_non_null(e);
	assert_int_equal(e->n, 1);
	assert_true(str_is(e->records[0], "v=spf1 a mx -all"));
	assert_null(spf_table_find(&t, "a.test", PACKET_A));
	assert_false(spf_table_cuts_labels(&t));
	spf_table_fini(&t);
}

static void
test_spf_macros_that_cut_labels_are_noticed(void **state)
{
	struct spf_table t = { 0 };
	struct answer a;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_TXT, 0);
	wire_txt(&w, "v=spf1 exists:%{i}._spf.%{d2} -all", NULL);
	wire_answer(&w, &a);
	spf_table_add(&t, "a.test", PACKET_TXT, &a);
	packet_fini(&a.packet);
	assert_true(spf_table_cuts_labels(&t));
	spf_table_fini(&t);
}

static void
test_spf_outcome_comes_back_as_it_was(void **state)
{
	struct spf_outcome in = { .verdict = SPF_QUESTION,
		.type = PACKET_MX,
		.name = "a.test",
		.text = "why" };
	struct spf_outcome out;
	struct buf b = { 0 };

	(void)state;
	spf_outcome_put(&in, &b);
	assert_int_equal(spf_outcome_take(buf_str(&b), &out), 0);
	assert_int_equal(out.type, PACKET_MX);
	assert_string_equal(out.name, "a.test");
	assert_string_equal(out.text, "why");
	for (size_t n = 0; n < b.len; n++) {
		assert_int_equal(
		    spf_outcome_take((struct str){ (char *)b.p, n }, &out),
		    -EBADMSG);
	}
	b.p[0] = SPF_PERMERROR + 1;
	assert_int_equal(spf_outcome_take(buf_str(&b), &out), -EBADMSG);
	buf_fini(&b);
}

/* ---- the cage ----------------------------------------------------------- */

struct outcome {
	bool is_done;
	char text[128];
};

static void
on_done(void *arg, struct str result)
{
	struct outcome *o = arg;

	o->is_done = true;
	str_copy(o->text, sizeof(o->text), result);
}

static void
run(cage_work_fn *work, void *arg, struct outcome *o)
{
	struct cage c = { 0 };

	*o = (struct outcome){ 0 };
	cage_start(&c,
	    &(struct cage_task){ .work = work,
		.arg = arg,
		.time_us = 5 * US_PER_S,
		.result_max = SPF_RESULT_MAX },
	    on_done, o);
	assert_false(o->is_done);
	while (!o->is_done) {
		fake_loop_settle();
	}
	assert_int_equal(c.pid, 0);
	cage_end(&c);
}

static void
try_all(const void *arg, struct buf *out)
{
	const int *fd = arg;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int s;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	buf_printf(out, "open %d ", open("/etc/passwd", O_RDONLY) >= 0);
	buf_printf(out, "create %d ",
	    open("/tmp/cage", O_WRONLY | O_CREAT, 0600) >= 0);
	buf_printf(out, "inherited %d ", write(*fd, "x", 1) == 1);
	s = socket(AF_INET, SOCK_STREAM, 0);
	buf_printf(out, "connect %d",
	    s >= 0 &&
		(connect(s, (struct sockaddr *)&to, sizeof(to)) == 0 ||
		    errno == ECONNREFUSED));
}

static void
test_cage_has_no_files_sockets_or_descriptors(void **state)
{
	struct outcome o;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	run(try_all, &fds[1], &o);
	assert_string_equal(o.text, "open 0 create 0 inherited 0 connect 0");
	close(fds[0]);
	close(fds[1]);
}

static void
crash(const void *arg, struct buf *out)
{
	(void)arg;
	buf_puts(out, "never seen");
	abort();
}

static void
become_another(const void *arg, struct buf *out)
{
	char *none[] = { NULL };

	(void)arg;
	(void)execve("/bin/true", none, none);
	(void)out; /* empty: killed, or refused */
}

static void
flood(const void *arg, struct buf *out)
{
	(void)arg;
	buf_zero(out, SPF_RESULT_MAX + 1);
}

static void
test_cage_child_that_ends_badly_has_no_result(void **state)
{
	struct outcome o;

	(void)state;
	run(crash, NULL, &o);
	assert_string_equal(o.text, "");
	run(become_another, NULL, &o);
	assert_string_equal(o.text, "");
	run(flood, NULL, &o);
	assert_string_equal(o.text, "");
}

static void
hang(const void *arg, struct buf *out)
{
	(void)arg;
	(void)out;
	for (;;) {
		__asm__ volatile("");
	}
}

static void
test_cage_kills_a_child_that_takes_too_long(void **state)
{
	const struct cage_task task = { .work = hang, .time_us = 2 * US_PER_S };
	struct cage c = { 0 };
	struct outcome o = { 0 };

	(void)state;
	cage_start(&c, &task, on_done, &o);
	fake_loop_pass(3 * US_PER_S);
	assert_true(o.is_done);
	assert_string_equal(o.text, "");
	assert_int_equal(c.pid, 0);
	o.is_done = false;
	cage_start(&c, &task, on_done, &o);
	cage_end(&c);
	fake_loop_pass(3 * US_PER_S);
	assert_false(o.is_done);
}

static void
evaluate(const void *arg, struct buf *out)
{
	struct spf_outcome o;

	spf_eval(arg, &o);
	spf_outcome_put(&o, out);
}

static void
test_cage_is_enough_for_libspf2(void **state)
{
	struct spf_table t = { 0 };
	struct spf_job job = {
		.table = &t, .sender = "user@example.com", .own = "own.test"
	};
	struct spf_outcome o = { .name = "example.com", .type = PACKET_TXT };
	struct outcome done;
	struct answer a;

	(void)state;
	assert_int_equal(address_parse(STR("192.0.2.99"), &job.ip), 0);
	zone_answer(usual, &o, &a);
	spf_table_add(&t, o.name, o.type, &a);
	packet_fini(&a.packet);
	run(evaluate, &job, &done);
	assert_int_equal(done.text[0], SPF_QUESTION);
	assert_int_equal(done.text[1], PACKET_A);
	spf_table_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spf_asks_for_what_it_needs_and_no_more),
		cmocka_unit_test(test_spf_knows_ipv6_and_mapped_ipv4),
		cmocka_unit_test(test_spf_failed_question_is_temporary),
		cmocka_unit_test(test_spf_mistakes_are_permanent_errors),
		cmocka_unit_test(
		    test_spf_hostile_explanation_is_never_looked_at),
		cmocka_unit_test(test_spf_hook_replaces_the_explanation),
		cmocka_unit_test(
		    test_spf_table_keeps_records_without_explanations),
		cmocka_unit_test(test_spf_macros_that_cut_labels_are_noticed),
		cmocka_unit_test(test_spf_outcome_comes_back_as_it_was),
		cmocka_unit_test(test_cage_has_no_files_sockets_or_descriptors),
		cmocka_unit_test(test_cage_child_that_ends_badly_has_no_result),
		cmocka_unit_test(test_cage_kills_a_child_that_takes_too_long),
		cmocka_unit_test(test_cage_is_enough_for_libspf2),
	};
	struct rlimit files;

	/* The cage closes every descriptor there can be. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_cur < 256 ? files.rlim_cur : 256;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
