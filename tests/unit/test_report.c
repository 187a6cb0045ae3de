/* Samples of each family, in tests/reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "event.h"
#include "facts.h"
#include "report.h"
#include "report_group.h"

struct expected {
	const char *file;
	enum report_kind kind;
	size_t n;
	const char *address; /* of the first recipient */
	const char *status;
	enum report_action action;
	enum reason reason;
	bool is_hard;
};

#define ANN "ann@example.org"

/* clang-format off */
static const struct expected failures[] = {
	{ "rfc3464-hard", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "crlf-lines", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "mbox", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "nested-report", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "rfc3464-soft", REPORT_DELIVERY, 1, ANN, "5.2.2", REPORT_FAILED,
	    REASON_MAILBOX_FULL, false },
	{ "rfc3464-two", REPORT_DELIVERY, 2, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "rfc3464-delayed", REPORT_DELIVERY, 1, ANN, "4.4.1", REPORT_DELAYED,
	    REASON_CONNECTION, false },
	{ "rfc3464-delivered", REPORT_DELIVERY, 1, ANN, "2.1.5",
	    REPORT_DELIVERED, REASON_OTHER, false },
	{ "rfc3464-relayed", REPORT_DELIVERY, 1, ANN, "2.0.0", REPORT_RELAYED,
	    REASON_OTHER, false },
	{ "rfc3464-expanded", REPORT_DELIVERY, 1, "list@example.org", "2.0.0",
	    REPORT_EXPANDED, REASON_OTHER, false },
	{ "rfc3464-general-status", REPORT_DELIVERY, 1, ANN, "5.2.1",
	    REPORT_FAILED, REASON_INACTIVE_MAILBOX, true },
	{ "rfc3464-status-comment", REPORT_DELIVERY, 1, ANN, "5.1.1",
	    REPORT_FAILED, REASON_BAD_MAILBOX, true },
	{ "rfc3464-no-final", REPORT_DELIVERY, 1, ANN, "5.0.0", REPORT_FAILED,
	    REASON_OTHER, false },
	{ "rfc3464-x400", REPORT_DELIVERY, 1, ANN, "4.4.7", REPORT_FAILED,
	    REASON_EXPIRED, false },
	{ "rfc3464-fields-first", REPORT_DELIVERY, 1, ANN, "5.7.1",
	    REPORT_FAILED, REASON_SPAM_CONTENT, false },
	{ "rfc3464-no-blank-lines", REPORT_DELIVERY, 2, ANN, "5.1.1",
	    REPORT_FAILED, REASON_BAD_MAILBOX, true },
	{ "rfc3464-no-diagnostic", REPORT_DELIVERY, 1, ANN, "5.0.0",
	    REPORT_FAILED, REASON_INACTIVE_MAILBOX, true },
	{ "rfc6533-utf8", REPORT_DELIVERY, 1,
	    "j\xc3\xb6rg@b\xc3\xbc""cher.example", "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "qmail", REPORT_DELIVERY, 2, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "cr-lines", REPORT_DELIVERY, 2, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "exim", REPORT_DELIVERY, 1, ANN, "5.2.1", REPORT_FAILED,
	    REASON_INACTIVE_MAILBOX, true },
	{ "exim-warning", REPORT_DELIVERY, 1, ANN, "4.4.2", REPORT_DELAYED,
	    REASON_TIMEOUT, false },
	{ "postfix-old", REPORT_DELIVERY, 1, ANN, "5.7.1", REPORT_FAILED,
	    REASON_SPAM_IP, false },
	{ "sendmail-old", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "ultrix", REPORT_DELIVERY, 2, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "exchange-5", REPORT_DELIVERY, 1, "bob@example.org", "5.1.1",
	    REPORT_FAILED, REASON_BAD_MAILBOX, true },
	{ "exchange-localised", REPORT_DELIVERY, 1, ANN, "5.1.10",
	    REPORT_FAILED, REASON_BAD_MAILBOX, true },
	{ "gmail", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "gmail-delay", REPORT_DELIVERY, 1, ANN, "4.4.1", REPORT_DELAYED,
	    REASON_CONNECTION, false },
	{ "yahoo", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "aol", REPORT_DELIVERY, 1, "screenname@aol.example", "5.7.1",
	    REPORT_FAILED, REASON_ATTACHMENT, false },
	{ "opensmtpd", REPORT_DELIVERY, 2, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "dma", REPORT_DELIVERY, 1, ANN, "5.4.7", REPORT_FAILED,
	    REASON_EXPIRED, false },
	{ "imail", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "lsmtp", REPORT_DELIVERY, 1, ANN, "5.4.4", REPORT_FAILED,
	    REASON_ROUTING, false },
	{ "biglobe", REPORT_DELIVERY, 1, ANN, "5.2.2", REPORT_FAILED,
	    REASON_MAILBOX_FULL, false },
	{ "au", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "mfilter", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "html-only", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "courier", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "james", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "mailmarshal", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "mcafee", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "surfcontrol", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "domino", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "groupwise", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "mxlogic", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "trouble", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "mobile", REPORT_DELIVERY, 1, "5550100@mobile.example", "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
	{ "nonfiction", REPORT_DELIVERY, 1, ANN, "5.2.2", REPORT_FAILED,
	    REASON_MAILBOX_FULL, false },
	{ "ses-json", REPORT_DELIVERY, 1, ANN, "5.1.1", REPORT_FAILED,
	    REASON_BAD_MAILBOX, true },
};

static const struct {
	const char *file;
	enum report_kind kind;
	const char *type; /* feedback type */
	uint16_t event; /* 0: nothing is told */
} others[] = {
	{ "arf-abuse", REPORT_FEEDBACK, "abuse", EVENT_complaint },
	{ "arf-virus", REPORT_FEEDBACK, "virus", EVENT_complaint },
	{ "arf-redacted", REPORT_FEEDBACK, "abuse", EVENT_complaint },
	{ "jmrp", REPORT_FEEDBACK, "abuse", EVENT_complaint },
	{ "arf-opt-out", REPORT_FEEDBACK, "opt-out", EVENT_unsubscribe },
	{ "arf-not-spam", REPORT_FEEDBACK, "not-spam", 0 },
	{ "arf-auth-failure", REPORT_FEEDBACK, "auth-failure", 0 },
	{ "vacation", REPORT_AUTO_REPLY, "", EVENT_auto_reply },
	{ "vacation-undeclared", REPORT_AUTO_REPLY, "", EVENT_auto_reply },
	{ "challenge", REPORT_AUTO_REPLY, "", EVENT_auto_reply },
	{ "challenge-as-dsn", REPORT_AUTO_REPLY, "", EVENT_auto_reply },
	{ "person", REPORT_OTHER, "", EVENT_auto_reply },
	{ "newsletter", REPORT_OTHER, "", EVENT_auto_reply },
	{ "rfc3464-delayed", REPORT_DELIVERY, "", 0 },
	{ "exim-warning", REPORT_DELIVERY, "", 0 },
	{ "rfc3464-delivered", REPORT_DELIVERY, "", 0 },
	{ "rfc3464-relayed", REPORT_DELIVERY, "", 0 },
	{ "rfc3464-expanded", REPORT_DELIVERY, "", 0 },
	{ "rfc3464-hard", REPORT_DELIVERY, "", EVENT_bounce },
	{ "rfc3464-soft", REPORT_DELIVERY, "", EVENT_soft_bounce },
	{ "rfc3464-two", REPORT_DELIVERY, "", EVENT_soft_bounce },
	{ "opensmtpd", REPORT_DELIVERY, "", EVENT_soft_bounce },
	{ "qmail", REPORT_DELIVERY, "", EVENT_bounce },
};
/* clang-format on */

static void
read_sample(const char *name, struct report *r)
{
	const char *srcdir = getenv("srcdir");
	struct buf b = { 0 };
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/tests/reports/%s.eml",
	    srcdir != NULL ? srcdir : ".", name);
	f = fopen(path, "r");
	if (f == NULL) {
		fail_msg("%s is missing", path);
		return;
	}
	b.len = fread(buf_reserve(&b, 65536), 1, 65536, f);
	(void)fclose(f);
	report_parse(b.p, b.len, r);
	buf_fini(&b);
}

static void
test_report_recognises_each_family(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(failures); i++) {
		const struct expected *e = &failures[i];
		struct report r;

		read_sample(e->file, &r);
		if (r.kind != e->kind || r.n_rcpts != e->n ||
		    strcmp(r.rcpts[0].address, e->address) != 0 ||
		    strcmp(r.rcpts[0].status, e->status) != 0 ||
		    r.rcpts[0].action != e->action ||
		    (e->action <= REPORT_DELAYED &&
			r.rcpts[0].reason != e->reason) ||
		    r.rcpts[0].is_hard != e->is_hard) {
			fail_msg("%s: kind %d, %zu: %s %s %d %s hard=%d",
			    e->file, r.kind, r.n_rcpts,
			    r.n_rcpts > 0 ? r.rcpts[0].address : "",
			    r.n_rcpts > 0 ? r.rcpts[0].status : "",
			    r.n_rcpts > 0 ? (int)r.rcpts[0].action : -1,
			    r.n_rcpts > 0 ? reason_desc(r.rcpts[0].reason)->name
					  : "",
			    r.n_rcpts > 0 && r.rcpts[0].is_hard);
		}
		report_fini(&r);
	}
}

static void
test_report_tells_only_what_changes_something(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(others); i++) {
		struct ipc_report_fact f = { .kind = 0 };
		const char *why = "";
		struct report r;
		bool is_told;

		read_sample(others[i].file, &r);
		is_told = facts_from_report(&r, &f, &why);
		if (r.kind != others[i].kind ||
		    strcmp(r.feedback_type, others[i].type) != 0 ||
		    is_told != (others[i].event != 0) ||
		    f.kind != others[i].event) {
			fail_msg("%s: kind %d, type %s, event %d (%s)",
			    others[i].file, r.kind, r.feedback_type, f.kind,
			    why);
		}
		report_fini(&r);
	}
}

static void
test_report_diagnostic_of_each_recipient_is_its_own(void **state)
{
	struct report r;

	(void)state;
	read_sample("opensmtpd", &r);
	assert_string_equal(r.rcpts[1].address, "bob@example.org");
	assert_string_equal(r.rcpts[1].status, "5.2.2");
	assert_int_equal(r.rcpts[1].reason, REASON_MAILBOX_FULL);
	report_fini(&r);
	read_sample("ultrix", &r);
	assert_int_equal(r.rcpts[1].reason, REASON_BAD_DOMAIN);
	report_fini(&r);
}

static void
test_report_names_the_return_path_of_a_complaint(void **state)
{
	struct report r;

	(void)state;
	read_sample("arf-abuse", &r);
	assert_int_equal(strncmp(r.return_path, "bounces+aaaa", 12), 0);
	report_fini(&r);
	read_sample("arf-redacted", &r);
	assert_string_equal(r.return_path, "");
	report_fini(&r);
}

static void
test_report_original_recipient_is_told_rather_than_the_final_one(void **state)
{
	struct ipc_report_fact f = { .kind = 0 };
	const char *why = "";
	struct report r;

	(void)state;
	read_sample("rfc3464-hard", &r);
	assert_true(facts_from_report(&r, &f, &why));
	assert_true(str_is(f.rcpt_to, "Ann@example.org"));
	assert_true(str_is(f.status, "5.1.1"));
	assert_true(str_is(f.class, "bad_mailbox"));
	assert_true(str_is(f.reporting_mta, "mx.example.net"));
	assert_true(f.is_hard);
	report_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_recognises_each_family),
		cmocka_unit_test(test_report_tells_only_what_changes_something),
		cmocka_unit_test(
		    test_report_diagnostic_of_each_recipient_is_its_own),
		cmocka_unit_test(
		    test_report_names_the_return_path_of_a_complaint),
		cmocka_unit_test(
		    test_report_original_recipient_is_told_rather_than_the_final_one),
	};

	return cmocka_run_group_tests(
	    tests, report_group_begin, report_group_end);
}
