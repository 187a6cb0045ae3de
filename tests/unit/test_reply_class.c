#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "reply_class.h"

/* Replies as servers say them, and what they mean. */
static const struct {
	unsigned code;
	const char *text;
	enum reply_phase phase;
	enum reason reason;
	bool is_hard;
} replies[] = {
	/* Gmail */
	{ 550,
	    "5.1.1 The email account that you tried to reach does not exist. "
	    "Please try\n5.1.1 double-checking the recipient's email address",
	    REPLY_RCPT, REASON_BAD_MAILBOX, true },
	{ 550,
	    "5.2.1 The email account that you tried to reach is inactive.\n"
	    "5.2.1 https://support.google.com/mail/?p=DisabledUser",
	    REPLY_RCPT, REASON_INACTIVE_MAILBOX, true },
	{ 452,
	    "4.2.2 The recipient's inbox is out of storage space and inactive.",
	    REPLY_RCPT, REASON_MAILBOX_FULL, false },
	{ 421,
	    "4.7.28 Gmail has detected an unusual rate of unsolicited mail "
	    "originating\n4.7.28 from your IP address.",
	    REPLY_DOT, REASON_RATE, false },
	{ 550,
	    "5.7.26 Your email has been blocked because the sender is "
	    "unauthenticated.\n5.7.26 Gmail requires all senders to "
	    "authenticate with either SPF or DKIM.",
	    REPLY_DOT, REASON_AUTH, false },
	{ 550,
	    "5.7.1 [192.0.2.1] Gmail has detected that this message is likely\n"
	    "5.7.1 unsolicited mail.",
	    REPLY_DOT, REASON_SPAM_CONTENT, false },
	{ 552,
	    "5.7.0 This message was blocked because its content presents a "
	    "potential\n5.7.0 security issue.",
	    REPLY_DOT, REASON_ATTACHMENT, false },
	{ 552, "5.3.4 Your message exceeded Google's message size limits.",
	    REPLY_DOT, REASON_TOO_LARGE, false },
	/* Outlook and Exchange */
	{ 550, "5.5.0 Requested action not taken: mailbox unavailable",
	    REPLY_RCPT, REASON_BAD_MAILBOX, true },
	{ 550,
	    "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. "
	    "Please contact your Internet service provider since part of "
	    "their network is on our block list (S3140).",
	    REPLY_MAIL, REASON_SPAM_IP, false },
	{ 550,
	    "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by "
	    "SMTP address lookup",
	    REPLY_DOT, REASON_BAD_MAILBOX, true },
	{ 451,
	    "4.7.500 Server busy. Please try again later from [192.0.2.1]. "
	    "(S77719)",
	    REPLY_MAIL, REASON_POLICY, false },
	{ 550, "5.4.1 Recipient address rejected: Access denied.", REPLY_RCPT,
	    REASON_BAD_MAILBOX, true },
	{ 550, "5.1.1 <a@example.org> Benutzer unbekannt", REPLY_RCPT,
	    REASON_BAD_MAILBOX, true },
	{ 550, "all relevant MX records point to non-existent hosts",
	    REPLY_REPORT, REASON_BAD_DOMAIN, true },
	{ 550, "Envelope blocked - User Entry", REPLY_RCPT, REASON_SENDER,
	    false },
	{ 550, "Rejected by header based Anti-Spoofing policy", REPLY_DOT,
	    REASON_AUTH, false },
	{ 554,
	    "5.7.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1",
	    REPLY_CONNECT, REASON_SPAM_IP, false },
	{ 552, "Requested mail action aborted: exceeded storage allocation",
	    REPLY_RCPT, REASON_MAILBOX_FULL, false },
	{ 550, "Connection frequency limited", REPLY_CONNECT, REASON_RATE,
	    false },
	{ 551, "5.1.6 not our customer", REPLY_RCPT, REASON_INACTIVE_MAILBOX,
	    true },
	{ 550, "Rejected", REPLY_DOT, REASON_POLICY, false },
	{ 450,
	    "Recipient address rejected: unverified address: Address "
	    "verification in progress",
	    REPLY_RCPT, REASON_GREYLIST, false },
	{ 550, "5.7.64 TenantAttribution; Relay Access Denied", REPLY_RCPT,
	    REASON_RELAYING, false },
	{ 554, "5.2.2 mailbox full", REPLY_RCPT, REASON_MAILBOX_FULL, false },
	/* Yahoo */
	{ 421,
	    "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to "
	    "unexpected volume or user complaints",
	    REPLY_MAIL, REASON_RATE, false },
	{ 554, "delivery error: dd This user doesn't have a yahoo.com account",
	    REPLY_DOT, REASON_BAD_MAILBOX, true },
	{ 552, "1 Requested mail action aborted, mailbox not found", REPLY_DOT,
	    REASON_BAD_MAILBOX, true },
	/* Postfix */
	{ 550,
	    "5.1.1 <a@example.org>: Recipient address rejected: User unknown "
	    "in local recipient table",
	    REPLY_RCPT, REASON_BAD_MAILBOX, true },
	{ 450, "4.2.0 <a@example.org>: Recipient address rejected: Greylisted",
	    REPLY_RCPT, REASON_GREYLIST, false },
	{ 554,
	    "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
	    "zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
	    REPLY_RCPT, REASON_SPAM_IP, false },
	{ 554, "5.7.1 <a@example.org>: Relay access denied", REPLY_RCPT,
	    REASON_RELAYING, false },
	{ 450, "4.1.8 <s@x.example>: Sender address rejected: Domain not found",
	    REPLY_RCPT, REASON_SENDER, false },
	{ 452, "4.5.3 Error: too many recipients", REPLY_RCPT,
	    REASON_TOO_MANY_RCPT, false },
	{ 452, "4.3.1 Insufficient system storage", REPLY_MAIL, REASON_CONFIG,
	    false },
	{ 554, "5.4.6 Too many hops", REPLY_DOT, REASON_ROUTING, false },
	{ 530, "5.7.0 Must issue a STARTTLS command first", REPLY_MAIL,
	    REASON_TLS, false },
	/* Exim, Sendmail, qmail and others */
	{ 550, "Unrouteable address", REPLY_RCPT, REASON_BAD_MAILBOX, true },
	{ 550, "Sender verify failed", REPLY_RCPT, REASON_SENDER, false },
	{ 553,
	    "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
	    REPLY_RCPT, REASON_RELAYING, false },
	{ 550, "#5.1.0 Address rejected.", REPLY_RCPT, REASON_OTHER, false },
	{ 550, "sorry, no mailbox here by that name (#5.1.1)", REPLY_RCPT,
	    REASON_BAD_MAILBOX, true },
	{ 550,
	    "permanent failure for one or more recipients "
	    "(a@example.org:blocked)",
	    REPLY_DOT, REASON_OTHER, false },
	{ 550, "5.7.1 Message contains a virus: Eicar-Test-Signature",
	    REPLY_DOT, REASON_VIRUS, false },
	{ 554, "rejected due to DMARC policy", REPLY_DOT, REASON_AUTH, false },
	{ 554, "no SMTP service here", REPLY_CONNECT, REASON_SPAM_IP, false },
	{ 421, "too busy", REPLY_CONNECT, REASON_RATE, false },
	{ 501, "Syntax error", REPLY_MAIL, REASON_PROTOCOL, false },
	{ 550, "no", REPLY_RCPT, REASON_OTHER, false },
	/* Reports */
	{ 0, "smtp; 550 5.1.1 <a@example.org>... User unknown", REPLY_REPORT,
	    REASON_BAD_MAILBOX, true },
	{ 0,
	    "delivery temporarily suspended: connect to mx[192.0.2.1]:25: "
	    "Connection refused (4.4.1)",
	    REPLY_REPORT, REASON_CONNECTION, false },
};

static void
test_reply_class_knows_what_servers_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(replies); i++) {
		struct reply_question q = { .code = replies[i].code,
			.text = str_of(replies[i].text),
			.phase = replies[i].phase };
		struct reply_answer a;

		reply_class(NULL, &q, &a);
		if (a.reason != replies[i].reason ||
		    a.is_hard != replies[i].is_hard) {
			fail_msg("%s: %s, hard %d", replies[i].text,
			    reason_desc(a.reason)->name, a.is_hard);
		}
	}
}

static struct reply_answer
ask(unsigned code, const char *enh, const char *text, enum reply_phase phase)
{
	struct reply_question q = { .code = code,
		.enh = str_of(enh),
		.text = str_of(text),
		.phase = phase };
	struct reply_answer a;

	reply_class(NULL, &q, &a);
	return a;
}

static void
test_reply_class_temporary_is_never_hard(void **state)
{
	struct reply_answer a = ask(450, "4.1.1", "user unknown", REPLY_RCPT);

	(void)state;
	assert_int_equal(a.reason, REASON_BAD_MAILBOX);
	assert_false(a.is_hard);
	assert_true(a.is_retry);
}

static void
test_reply_class_some_permanent_replies_are_retried(void **state)
{
	(void)state;
	assert_true(ask(550, "", "greylisted", REPLY_RCPT).is_retry);
	assert_true(ask(550, "", "rate limit exceeded", REPLY_DOT).is_retry);
	assert_false(ask(550, "5.2.2", "over quota", REPLY_DOT).is_retry);
}

static void
test_reply_class_address_is_no_enhanced_code(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(550, "", "no 5.1.1.7 here", REPLY_RCPT).reason, REASON_OTHER);
	assert_int_equal(ask(550, "", "no (5.1.1) here", REPLY_RCPT).reason,
	    REASON_BAD_MAILBOX);
}

static void
test_reply_class_added_rules_go_first(void **state)
{
	struct reply_rules *rules = reply_rules_new();
	struct reply_question q = { .code = 550,
		.enh = STR("5.1.1"),
		.text = STR("Not TODAY, friend"),
		.phase = REPLY_RCPT };
	struct reply_answer a;
	int r = reply_class_add_rule(rules,
	    &(struct reply_rule){ .text = "today*friend",
		.enh = "5.1.*",
		.reason = REASON_POLICY });

	(void)state;
	assert_int_equal(r, 0);
	reply_class(rules, &q, &a);
	assert_int_equal(a.reason, REASON_POLICY);
	q.text = STR("not today");
	reply_class(rules, &q, &a);
	assert_int_equal(a.reason, REASON_BAD_MAILBOX);
	reply_rules_free(&rules);
}

static void
test_reply_class_bad_rules_are_refused(void **state)
{
	static const struct reply_rule bad[] = {
		{ .reason = REASON_POLICY },
		{ .text = "Capital", .reason = REASON_POLICY },
		{ .text = "**", .reason = REASON_POLICY },
		{ .enh = "5.1", .reason = REASON_POLICY },
		{ .enh = "5.1.x", .reason = REASON_POLICY },
		{ .enh = "5.1.1.1", .reason = REASON_POLICY },
		{ .text = "x", .reason = REASON_N },
	};
	struct reply_rules *rules = reply_rules_new();

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(reply_class_add_rule(rules, &bad[i]), -EINVAL);
	}
	reply_rules_free(&rules);
}

static void
test_reply_class_built_in_rules_are_sound(void **state)
{
	struct reply_rules *rules = reply_rules_new();

	(void)state;
	for (size_t i = 0; i < n_reply_rules_builtin; i++) {
		const struct reply_rule *r = &reply_rules_builtin[i];

		if (r->phases != 0 && r->text == NULL) {
			continue; /* by phase alone: not for administrators */
		}
		if (reply_class_add_rule(rules, r) < 0) {
			fail_msg(
			    "rule %zu: %s", i, r->text != NULL ? r->text : "");
		}
	}
	reply_rules_free(&rules);
}

static void
test_reply_class_words_are_parsed(void **state)
{
	enum reason r;

	(void)state;
	for (unsigned i = 0; i < REASON_N; i++) {
		const struct reason_desc *d = reason_desc((enum reason)i);

		assert_int_equal(reason_parse(str_of(d->name), &r), 0);
		assert_int_equal(r, i);
		assert_true(strlen(d->name) <= 32);
		/* What condemns an address is a bounce, and suppresses. */
		assert_int_equal(d->is_hard, d->event == REASON_EVENT_BOUNCE);
		assert_true(!d->is_hard || d->is_suppressed);
	}
	assert_int_equal(reason_parse(STR("no_such_class"), &r), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reply_class_knows_what_servers_say),
		cmocka_unit_test(test_reply_class_temporary_is_never_hard),
		cmocka_unit_test(
		    test_reply_class_some_permanent_replies_are_retried),
		cmocka_unit_test(test_reply_class_address_is_no_enhanced_code),
		cmocka_unit_test(test_reply_class_added_rules_go_first),
		cmocka_unit_test(test_reply_class_bad_rules_are_refused),
		cmocka_unit_test(test_reply_class_built_in_rules_are_sound),
		cmocka_unit_test(test_reply_class_words_are_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
