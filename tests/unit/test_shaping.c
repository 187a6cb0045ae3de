#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "shaping.h"

static struct shaping *
read_text(const char *text)
{
	struct shaping *s = NULL;
	struct buf error = { 0 };

	if (shaping_parse("shaping.cf", str_of(text), &s, &error) < 0) {
		fail_msg("%.*s", (int)error.len, (const char *)error.p);
	}
	return s;
}

/* The text is refused with a line that contains what. */
static void
refused(const char *text, const char *what)
{
	struct shaping *s = NULL;
	struct buf error = { 0 };

	assert_int_equal(
	    shaping_parse("shaping.cf", str_of(text), &s, &error), -22);
	buf_u8(&error, 0);
	if (strstr((const char *)error.p, what) == NULL ||
	    strchr((const char *)error.p, '\n') != NULL) {
		fail_msg("%s: not in: %s", what, (const char *)error.p);
	}
	buf_fini(&error);
}

static const char whole[] =
    "# comment\n"
    "[default]\n"
    "connections = 20\n"
    "messages = 100/1h\n"
    "retry = 5m 15m\n"
    "  1h\n"
    "backoff = gentle after 10\n"
    "reply = /too many/ rcpt suspend for 1h\n"
    "[provider google]\n"
    "mx = google.com, googlemail.com\n"
    "reply = /4\\.7\\.28/ slow gentle for 2h, class rate\n"
    "reply = /no such/ rcpt data bounce\n"
    "reply = /block/ suspend all for 30m, limit connections=1 "
    "messages=10/1m for 2h, requeue-in 20m\n"
    "[domain Example.ORG]\n"
    "recipients = 1000/1d/50\n"
    "[backoff gentle]\n"
    "connections = 1\n"
    "leave_after = 10m\n";

static void
test_shaping_a_file_says_what_it_says(void **state)
{
	struct shaping *s = read_text(whole);
	const struct shaping_section *d;

	(void)state;
	d = s->sections[0];
	assert_int_equal(d->limits.connections, 20);
	assert_int_equal(d->limits.messages.n, 100);
	assert_int_equal(d->limits.messages.per_s, 3600);
	assert_int_equal(d->limits.nretry, 3);
	assert_int_equal(d->limits.retry_s[2], 3600);
	assert_int_equal(d->backoff_after, 10);
	assert_string_equal(d->backoff->name, "gentle");
	assert_int_equal(d->backoff->leave_after_us, 600 * US_PER_S);
	d = shaping_section(s, SHAPING_DOMAIN, STR("example.org"));
	assert_non_null(d);
	assert_int_equal(d->limits.recipients.burst, 50);
	assert_null(shaping_section(s, SHAPING_SITE, STR("example.org")));
	shaping_free(&s);
}

static void
test_shaping_the_first_rule_of_the_phase_decides(void **state)
{
	struct shaping *s =
	    read_text("[default]\n"
		      "reply = /a/ mail defer\n"
		      "reply = /a\\/b\\.c/ rcpt bounce\n"
		      "reply = /A/ requeue-in 20m, class greylist\n");
	const struct shaping_section *d = s->sections[0];

	(void)state;
	assert_int_equal(shaping_match(d, REPLY_MAIL, STR("450 a"))->line, 2);
	assert_int_equal(
	    shaping_match(d, REPLY_RCPT, STR("450 a/b.c"))->line, 3);
	assert_int_equal(
	    shaping_match(d, REPLY_RCPT, STR("450 a/bxc"))->line, 4);
	assert_int_equal(
	    shaping_match(d, REPLY_RCPT, STR("450 a"))->requeue_s, 1200);
	assert_null(shaping_match(d, REPLY_RCPT, STR("450 no")));
	/* Bytes that would end a string, and lines, are blanks. */
	assert_non_null(shaping_match(d, REPLY_DOT, STR("450 \0\na")));
	shaping_free(&s);
}

static void
test_shaping_only_the_beginning_of_a_reply_is_compared(void **state)
{
	struct shaping *s = read_text("[default]\nreply = /zz/ defer\n");
	char text[SHAPING_TEXT_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[SHAPING_TEXT_MAX] = text[SHAPING_TEXT_MAX + 1] = 'z';
	assert_null(shaping_match(
	    s->sections[0], REPLY_RCPT, (struct str){ text, sizeof(text) }));
	text[SHAPING_TEXT_MAX - 1] = text[SHAPING_TEXT_MAX - 2] = 'z';
	assert_non_null(shaping_match(
	    s->sections[0], REPLY_RCPT, (struct str){ text, sizeof(text) }));
	shaping_free(&s);
}

static void
test_shaping_providers_are_whole_labels_and_the_longest_counts(void **state)
{
	struct shaping *s =
	    read_text("[provider a]\nmx = outlook.com\n"
		      "[provider b]\nmx = olc.protection.outlook.com x.test\n");

	(void)state;
	assert_string_equal(
	    shaping_provider(s, STR("x.mail.protection.OUTLOOK.com"))->name,
	    "a");
	assert_string_equal(
	    shaping_provider(s, STR("olc.protection.outlook.com"))->name, "b");
	assert_null(shaping_provider(s, STR("notoutlook.com")));
	assert_null(shaping_provider(s, STR("")));
	shaping_free(&s);
}

static void
test_shaping_mistakes_are_named_with_file_and_line(void **state)
{
	(void)state;
	refused("connections = 1\n", "shaping.cf:1: a section must begin");
	refused("[defaul]\n",
	    "shaping.cf:1: unknown section [defaul]; did "
	    "you mean [default]?");
	refused("[default]\n[default]\n", "already in line 1");
	refused("[provider]\n", "needs a name");
	refused("[provider x\n", "]");
	refused("[provider x]\n[provider X]\n", "is there already");
	refused("[provider x]\n", "shaping.cf:1: [provider x] has no mx");
	refused("[default]\n\nconections = 1\n",
	    "shaping.cf:3: unknown setting conections; did you mean "
	    "connections?");
	refused("[default]\nmx = a\n", "mx is not for [default]");
	refused("[backoff b]\nreply = /a/ defer\n", "reply is not for");
	refused("[default]\nleave_after = 1m\n", "leave_after is not for");
	refused("[default]\nconnections = 0\n", "a number from 1");
	refused("[default]\nconnections\n", "not of the form");
	refused("[default]\nmessages = 100\n", "NUMBER/TIME");
	refused("[default]\nmessages = 10/1h/6\n", "NUMBER/TIME");
	refused("[default]\nretry = 5m later\n", "32 times");
	refused("[default]\nbackoff = gentle\n", "NAME after NUMBER");
	refused("[default]\nbackoff = gentle after 5\n[backoff gently]\n",
	    "shaping.cf:2: there is no [backoff gentle]; did you mean gently?");
	refused("[default]\nreply = /(/ defer\n", "shaping.cf:2: reply: /(/");
	refused("[default]\nreply = defer\n", "must begin with /PATTERN/");
	refused("[default]\nreply = // defer\n", "must begin with /PATTERN/");
	refused("[default]\nreply = /(a)\\1/ defer\n", "back-references");
	refused("[default]\nreply = /((a{99}){99}){99}/ defer\n", "multiply");
	refused("[default]\nreply = /a{99}{99}{99}/ defer\n", "multiply");
	refused("[default]\nreply = /([)]a{250}){250}/ defer\n", "multiply");
	refused("[default]\nreply = "
		"/((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+/ defer\n",
	    "multiply");
	refused("[default]\nreply = /a/b/ defer\n",
	    "shaping.cf:2: reply: b/: is no action");
	refused("[default]\nreply = /a/\n", "an action is missing");
	refused("[default]\nreply = /a/ suspend\n", "for TIME");
	refused("[default]\nreply = /a/ slow\n", "needs the name");
	refused("[default]\nreply = /a/ slow x\n", "there is no [backoff x]");
	refused("[default]\nreply = /a/ limit for 1h\n", "no limit is given");
	refused("[default]\nreply = /a/ limit conections=1 for 1h\n",
	    "did you mean connections=?");
	refused("[default]\nreply = /a/ limit connections=1\n", "for TIME");
	refused("[default]\nreply = /a/ class spam\n", "reason class");
	refused("[default]\nreply = /a/ defer now\n", "not expected");
	refused("[default]\nreply = /a/ bounce, requeue-in 5m\n",
	    "do not go together");
	refused("  x = y\n", "continues no line");
}

static void
test_shaping_limits_are_printed_as_they_are_read(void **state)
{
	static const char text[] =
	    "connections=3 messages=100/1h/10 recipients=7/90s "
	    "messages_per_connection=50 seconds_per_connection=5m "
	    "window_start=2 window_limit=9 retry=5m,1h,2d";
	struct shaping_limits l = { 0 };
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(shaping_limits_parse(&l, str_of(text), &b), 0);
	shaping_limits_print(&l, &b);
	assert_int_equal(b.len, sizeof(text) - 1);
	assert_memory_equal(b.p, text, b.len);
	buf_fini(&b);
}

static void
test_shaping_the_stricter_of_two_limits_is_known(void **state)
{
	struct shaping_limits a = { .connections = 5,
		.messages = { 100, 3600, 0 },
		.retry_s = { 60 },
		.nretry = 1 };
	const struct shaping_limits b = {
		.connections = 9, .messages = { 1, 60, 0 }, .window_limit = 4
	};

	(void)state;
	shaping_limits_tighten(&a, &b);
	assert_int_equal(a.connections, 5);
	assert_int_equal(a.messages.n, 1);
	assert_int_equal(a.window_limit, 4);
	assert_int_equal(a.nretry, 1);
	shaping_limits_replace(&a, &b);
	assert_int_equal(a.connections, 9);
	assert_int_equal(a.retry_s[0], 60);
}

static void
test_shaping_the_built_in_text_and_the_shipped_file_are_right(void **state)
{
	const char *dir = getenv("srcdir");
	struct shaping *s = read_text(shaping_builtin);
	struct buf error = { 0 };
	char path[4096];

	(void)state;
	assert_non_null(shaping_match(s->sections[0], REPLY_CONNECT,
	    STR("421 4.7.0 Too many concurrent connections")));
	assert_null(shaping_match(
	    s->sections[0], REPLY_RCPT, STR("450 4.2.0 come again later")));
	shaping_free(&s);
	(void)snprintf(path, sizeof(path), "%s/etc", dir != NULL ? dir : ".");
	if (shaping_load(path, &s, &error) < 0) {
		fail_msg("%.*s", (int)error.len, (const char *)error.p);
	}
	assert_string_not_equal(s->path, "built-in");
	assert_string_equal(
	    shaping_provider(s, STR("gmail-smtp-in.l.google.com"))->name,
	    "google");
	assert_non_null(shaping_match(
	    shaping_section(s, SHAPING_PROVIDER, STR("google")), REPLY_DOT,
	    STR("421 4.7.28 Gmail has detected an unusual rate of "
		"unsolicited mail")));
	shaping_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shaping_a_file_says_what_it_says),
		cmocka_unit_test(
		    test_shaping_the_first_rule_of_the_phase_decides),
		cmocka_unit_test(
		    test_shaping_only_the_beginning_of_a_reply_is_compared),
		cmocka_unit_test(
		    test_shaping_providers_are_whole_labels_and_the_longest_counts),
		cmocka_unit_test(
		    test_shaping_mistakes_are_named_with_file_and_line),
		cmocka_unit_test(
		    test_shaping_limits_are_printed_as_they_are_read),
		cmocka_unit_test(
		    test_shaping_the_stricter_of_two_limits_is_known),
		cmocka_unit_test(
		    test_shaping_the_built_in_text_and_the_shipped_file_are_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
