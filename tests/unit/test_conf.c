#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "conf.h"

static char dir[] = "conf-test-XXXXXX";

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "conf-test-XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static void
write_file(const char *text)
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/packetboat.cf", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	(void)fclose(f);
}

static int
teardown(void **state)
{
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/packetboat.cf", dir);
	(void)unlink(path);
	return rmdir(dir);
}

static struct conf *
load(const char *text)
{
	struct buf error = { 0 };
	struct conf *c = NULL;

	write_file(text);
	if (conf_load(dir, &c, &error) < 0) {
		print_error("%.*s\n", STR_ARG(buf_str(&error)));
	}
	assert_non_null(c);
	buf_fini(&error);
	return c;
}

/* The file is refused with a line that has the words in it. */
static void
refuse(const char *text, const char *words)
{
	struct buf error = { 0 };
	struct conf *c = NULL;

	write_file(text);
	assert_true(conf_load(dir, &c, &error) < 0);
	assert_null(c);
	buf_u8(&error, 0);
	if (strstr((const char *)error.p, words) == NULL) {
		fail_msg("%s: no \"%s\" in it", (const char *)error.p, words);
	}
	buf_fini(&error);
}

static void
test_conf_every_default_is_within_its_bounds(void **state)
{
	struct conf *c = load("");

	(void)state;
	assert_int_equal(c->queue_lifetime, 3 * 86400 * US_PER_S);
	assert_int_equal(c->message_size_limit, 25 * 1024 * 1024);
	assert_string_equal(c->smtp_tls_level, "may");
	conf_free(&c);
}

static void
test_conf_units_names_and_continuation_are_as_in_postfix(void **state)
{
	struct conf *c = load("# a comment\n"
			      "myhostname = mail.example.com\n"
			      "smtpd_banner = $myhostname says\n"
			      "# between\n"
			      "  ${myhostname}!\n"
			      "queue_lifetime = 2h\n"
			      "message_size_limit = 1M\n"
			      "message_size_limit = 2M\n");

	(void)state;
	assert_string_equal(
	    c->smtpd_banner, "mail.example.com says mail.example.com!");
	assert_string_equal(c->mydomain, "example.com");
	assert_string_equal(c->bounce_domain, "mail.example.com");
	assert_int_equal(c->queue_lifetime, 7200 * US_PER_S);
	assert_int_equal(c->message_size_limit, 2 * 1024 * 1024);
	conf_free(&c);
}

static void
test_conf_an_unknown_name_is_refused_with_the_nearest(void **state)
{
	(void)state;
	refuse("\nmyhostnam = x\n",
	    "packetboat.cf:2: unknown parameter "
	    "myhostnam; did you mean myhostname?");
}

static void
test_conf_values_out_of_bounds_are_refused_with_them(void **state)
{
	(void)state;
	refuse("smtp_port = 0\n",
	    "packetboat.cf:1: smtp_port = 0: must be a "
	    "number from 1 to 65535");
	refuse("smtp_tls_level = perhaps\n", "one of: none may encrypt dane");
	refuse("queue_lifetime = 5 days\n", "a time (30s 5m 2h 1d)");
	refuse("spf_check = true\n", "yes or no");
}

static void
test_conf_lines_of_another_form_are_refused(void **state)
{
	(void)state;
	refuse("hello\n", "packetboat.cf:1: not of the form name = value");
	refuse("  x = y\n", "continues no line");
	refuse("smtpd_banner = $nobody\n", "$nobody is not a parameter");
	refuse("smtpd_banner = $smtpd_banner\n", "refer to each other");
	refuse("mynetworks = 127.0.0.0/8\n", "needs mynetworks_account");
}

static void
test_conf_a_missing_file_is_named(void **state)
{
	struct buf error = { 0 };
	struct conf *c = NULL;

	(void)state;
	write_file("");
	assert_int_equal(conf_load("no-such-dir", &c, &error), -ENOENT);
	buf_u8(&error, 0);
	assert_non_null(
	    strstr((const char *)error.p, "no-such-dir/packetboat.cf"));
	buf_fini(&error);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_conf_every_default_is_within_its_bounds),
		TEST(test_conf_units_names_and_continuation_are_as_in_postfix),
		TEST(test_conf_an_unknown_name_is_refused_with_the_nearest),
		TEST(test_conf_values_out_of_bounds_are_refused_with_them),
		TEST(test_conf_lines_of_another_form_are_refused),
		TEST(test_conf_a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
