#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "routes.h"

static struct routes *routes;
static struct buf error;

static int
setup(void **state)
{
	(void)state;
	routes = routes_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	routes_free(&routes);
	buf_fini(&error);
	return 0;
}

static void
parse(const char *text)
{
	assert_int_equal(
	    routes_parse(routes, str_of(text), "routes.cf", &error), 0);
}

static void
assert_refused(const char *text, const char *why)
{
	struct routes *r = routes_new();
	char got[1024];

	buf_clear(&error, 4096);
	assert_int_equal(
	    routes_parse(r, str_of(text), "routes.cf", &error), -EINVAL);
	str_copy(got, sizeof(got), buf_str(&error));
	if (strstr(got, why) == NULL) {
		fail_msg("%s: not in: %s", why, got);
	}
	routes_free(&r);
}

static const char *
hop(const char *domain)
{
	const struct routes_entry *e = routes_find(routes, str_of(domain));

	return e != NULL ? e->hop : NULL;
}

static void
test_routes_nearest_name_decides(void **state)
{
	(void)state;
	parse("# comment\n"
	      "\n"
	      "* [all.example]\n"
	      ".example.com [below.example]:2525\n"
	      "  example.com \t smtp:[Itself.Example]  tls=verify\n"
	      ".b.example.com smtp:mx.example\n"
	      "[192.0.2.1] [literal.example]\n"
	      "own.example smtp:\n");
	assert_string_equal(hop("example.com"), "[itself.example]");
	assert_string_equal(
	    routes_find(routes, STR("example.com"))->tls, "verify");
	assert_string_equal(hop("a.example.com"), "[below.example]:2525");
	assert_string_equal(hop("b.example.com"), "[below.example]:2525");
	assert_string_equal(hop("a.b.example.com"), "mx.example");
	assert_string_equal(hop("[192.0.2.1]"), "[literal.example]");
	assert_string_equal(hop("[192.0.2.2]"), "[all.example]");
	assert_string_equal(hop("notexample.com"), "[all.example]");
	assert_int_equal(
	    routes_find(routes, STR("own.example"))->kind, ROUTES_OWN);
}

static void
test_routes_relayhost_is_for_the_rest(void **state)
{
	(void)state;
	assert_null(routes_find(NULL, STR("example.com")));
	assert_null(hop("example.com"));
	assert_false(routes_has_lines(routes));
	assert_int_equal(
	    routes_set_relayhost(routes, STR("[Relay.example]:587")), 0);
	assert_int_equal(
	    routes_set_relayhost(routes, STR("[relay.example")), -EINVAL);
	parse("example.com [own.example]\n");
	assert_string_equal(hop("example.org"), "[relay.example]:587");
	assert_string_equal(hop("example.com"), "[own.example]");
	assert_true(routes_has_lines(routes));
}

static void
test_routes_only_names_without_port_are_found_by_mx(void **state)
{
	(void)state;
	parse("a mx.example\nb [mx.example]\nc mx.example:26\n"
	      "d 192.0.2.1\ne [2001:db8::1]:25\n");
	assert_true(routes_find(routes, STR("a"))->is_by_mx);
	assert_false(routes_find(routes, STR("b"))->is_by_mx);
	assert_false(routes_find(routes, STR("c"))->is_by_mx);
	assert_false(routes_find(routes, STR("d"))->is_by_mx);
	assert_false(routes_find(routes, STR("e"))->is_by_mx);
}

static void
test_routes_smtps_is_part_of_the_hop_and_never_in_clear(void **state)
{
	(void)state;
	parse("a smtps:[MX.example]\nb smtps:[mx.example]:2465 tls=verify\n"
	      "c smtps:192.0.2.1\nd [mx.example]\n");
	assert_string_equal(hop("a"), "smtps:[mx.example]");
	assert_string_equal(hop("b"), "smtps:[mx.example]:2465");
	assert_string_equal(hop("c"), "smtps:192.0.2.1");
	assert_false(routes_find(routes, STR("a"))->is_by_mx);
	assert_int_equal(routes_parse_passwords(routes,
			     STR("mx.example u:host\n[mx.example]:2465 u:bare\n"
				 "smtps:192.0.2.1 u:whole\n"),
			     "p", &error),
	    0);
	assert_string_equal(routes_find(routes, STR("a"))->password, "host");
	assert_string_equal(routes_find(routes, STR("b"))->password, "bare");
	assert_string_equal(routes_find(routes, STR("c"))->password, "whole");
	assert_string_equal(routes_find(routes, STR("d"))->password, "host");
	assert_refused("x smtps:mx.example\n", "smtps: only in the last three");
	assert_refused("x smtps:[mx.example] tls=may\n",
	    "routes.cf:1: tls=may, but smtps: is never without TLS");
}

static void
test_routes_international_names_are_looked_up_as_a_labels(void **state)
{
	(void)state;
	parse("b\xc3\xbc"
	      "cher.example [mx.example]\n");
	assert_string_equal(hop("xn--bcher-kva.example"), "[mx.example]");
}

static void
test_routes_errors_have_a_code_and_a_text(void **state)
{
	const struct routes_entry *e;

	(void)state;
	parse("a error:5.1.2 This domain is closed\nb error: not here\n");
	e = routes_find(routes, STR("a"));
	assert_int_equal(e->kind, ROUTES_ERROR);
	assert_string_equal(e->enh, "5.1.2");
	assert_string_equal(e->text, "This domain is closed");
	e = routes_find(routes, STR("b"));
	assert_string_equal(e->enh, "5.7.1");
	assert_string_equal(e->text, "not here");
}

static void
test_routes_mistakes_are_told_with_their_line(void **state)
{
	(void)state;
	assert_refused("# one\na..b [mx.example]\n", "routes.cf:2: a..b is no");
	assert_refused("a\n", "routes.cf:1: a target is missing");
	assert_refused("a [mx.example\n", "is no next hop");
	assert_refused("a [mx.example]:0\n", "is no next hop");
	assert_refused("a [mx.example]:70000\n", "is no next hop");
	assert_refused("a smpt:[mx.example]\n", "the nearest is smtp:");
	assert_refused("a eror:text\n", "the nearest is error:");
	assert_refused("a [mx.example] tsl=may\n", "the nearest is tls=LEVEL");
	assert_refused("a [mx.example] tls=most\n", "the level must be");
	assert_refused("a error:\n", "needs a text");
	assert_refused("a error:4.7.1 later\n", "must begin with 5");
	assert_refused("a [x]\nA [y]\n", "routes.cf:2: a stands in line 1");
}

static int
passwords(const char *text)
{
	buf_clear(&error, 4096);
	return routes_parse_passwords(
	    routes, str_of(text), "sasl_passwd", &error);
}

static const char *
error_text(void)
{
	static char text[1024];

	str_copy(text, sizeof(text), buf_str(&error));
	return text;
}

static void
test_routes_passwords_are_for_the_hop_or_its_host(void **state)
{
	const struct routes_entry *e;

	(void)state;
	parse("a [mx.example]:587\nb [mx.example]:2525\nc other.example\n");
	assert_int_equal(
	    routes_set_relayhost(routes, STR("[2001:db8::1]:25")), 0);
	assert_int_equal(passwords("# comment\n"
				   "[MX.example]:587  one:a: pass word \n"
				   "mx.example\ttwo:second\n"
				   "2001:db8::1 three:third\n"),
	    0);
	e = routes_find(routes, STR("a"));
	assert_string_equal(e->user, "one");
	assert_string_equal(e->password, "a: pass word");
	e = routes_find(routes, STR("b"));
	assert_string_equal(e->user, "two");
	assert_string_equal(e->password, "second");
	assert_string_equal(routes_find(routes, STR("c"))->user, "");
	assert_string_equal(routes_relayhost(routes)->user, "three");
}

static void
test_routes_password_mistakes_show_no_password(void **state)
{
	(void)state;
	parse("a [mx.example]:587\nb [clear.example] tls=may\n");
	assert_int_equal(passwords("\n[mx.example]:587 hunter2\n"), -EINVAL);
	assert_non_null(strstr(error_text(), "sasl_passwd:2: write a next"));
	assert_null(strstr(error_text(), "hunter2"));
	assert_int_equal(passwords("[mx.exampel]:587 me:hunter2\n"), -EINVAL);
	assert_non_null(strstr(error_text(), "neither relayhost nor"));
	assert_null(strstr(error_text(), "hunter2"));
	assert_int_equal(passwords("[clear.example] me:hunter2\n"), -EINVAL);
	assert_non_null(strstr(error_text(), "routes.cf:2: tls=may, but"));
	assert_null(strstr(error_text(), "hunter2"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_routes_nearest_name_decides),
		T(test_routes_relayhost_is_for_the_rest),
		T(test_routes_only_names_without_port_are_found_by_mx),
		T(test_routes_smtps_is_part_of_the_hop_and_never_in_clear),
		T(test_routes_international_names_are_looked_up_as_a_labels),
		T(test_routes_errors_have_a_code_and_a_text),
		T(test_routes_mistakes_are_told_with_their_line),
		T(test_routes_passwords_are_for_the_hop_or_its_host),
		T(test_routes_password_mistakes_show_no_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
