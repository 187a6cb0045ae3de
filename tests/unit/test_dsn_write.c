#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dsn_write.h"
#include "report.h"
#include "report_group.h"

#define HEADER                                                                 \
	"From: Shop <news@shop.example>\r\nTo: ann@example.org\r\n"            \
	"Subject: Your order\r\n"
#define MESSAGE HEADER "\r\nHello\r\n"

struct fixture {
	struct buf items;
	struct dsn_input in;
	struct dsn_output out;
};

static void
add(struct fixture *f, const struct dsn_item *item)
{
	dsn_item_add(&f->items, item);
	f->in.items = buf_str(&f->items);
}

static void
add_failure(struct fixture *f, const char *address, const char *reply)
{
	struct dsn_item item = { .action = DSN_FAILED,
		.address = str_of(address),
		.status = STR("5.1.1"),
		.reply = str_of(reply),
		.remote_mta = STR("mx.example.org"),
		.last_attempt_us = 1767225600000000ULL };

	add(f, &item);
}

static int
setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->in = (struct dsn_input){ .hostname = STR("mail.example.net"),
		.id = uuid_random(),
		.msgid = uuid_random(),
		.sender = STR("news@shop.example"),
		.is_whole = true,
		.now_us = 1767225600000000ULL,
		.arrival_us = 1767225500000000ULL,
		.content = STR(MESSAGE),
		.size_limit = 50000 };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	buf_fini(&f->items);
	buf_fini(&f->out.content);
	free(f);
	return 0;
}

static const char *
text_of(struct fixture *f)
{
	buf_fini(&f->out.content);
	assert_int_equal(dsn_write(&f->in, &f->out), 0);
	buf_u8(&f->out.content, 0);
	return (const char *)f->out.content.p;
}

static bool
has(struct fixture *f, const char *needle)
{
	return strstr(text_of(f), needle) != NULL;
}

static void
test_dsn_write_is_read_back_by_our_own_reader(void **state)
{
	struct fixture *f = *state;
	struct report r;

	add_failure(f, "ann@example.org", "550 5.1.1 User unknown");
	add_failure(f, "bob@example.org", "550-5.1.1 No\n550 5.1.1 such user");
	(void)text_of(f);
	report_parse(f->out.content.p, f->out.content.len - 1, &r);
	assert_int_equal(r.kind, REPORT_DELIVERY);
	assert_int_equal(r.n_rcpts, 2);
	assert_string_equal(r.rcpts[0].address, "ann@example.org");
	assert_string_equal(r.rcpts[1].address, "bob@example.org");
	assert_int_equal(r.rcpts[1].reason, REASON_BAD_MAILBOX);
	assert_string_equal(r.reporting_mta, "mail.example.net");
	report_fini(&r);
}

static void
test_dsn_write_lines_end_in_crlf_and_are_short(void **state)
{
	struct fixture *f = *state;
	char reply[4000];
	const char *p;

	memset(reply, 'x', sizeof(reply) - 1);
	reply[sizeof(reply) - 1] = '\0';
	add_failure(f, "ann@example.org", reply);
	p = text_of(f);
	while (*p != '\0') {
		const char *lf = strchr(p, '\n');

		assert_non_null(lf);
		assert_true(lf > p && lf[-1] == '\r');
		assert_in_range(lf - p, 1, 999);
		assert_null(memchr(p, '\r', (size_t)(lf - 1 - p)));
		p = lf + 1;
	}
}

static void
test_dsn_write_foreign_text_cannot_add_fields(void **state)
{
	struct fixture *f = *state;

	add_failure(f, "ann\r\nBcc: x@y.example@example.org",
	    "550 no\r\n\r\nFinal-Recipient: rfc822; eve@example.org\x1b[2J");
	assert_false(has(f, "\r\nBcc:"));
	assert_false(has(f, "\r\nFinal-Recipient: rfc822; eve"));
	assert_false(has(f, "\x1b"));
}

static void
test_dsn_write_returns_all_or_the_header_as_asked(void **state)
{
	struct fixture *f = *state;

	add_failure(f, "ann@example.org", "550 no");
	assert_true(has(f, "Content-Type: message/rfc822\r\n"));
	assert_true(has(f, "\r\nHello\r\n"));
	f->in.ret = 2;
	assert_true(has(f, "Content-Type: text/rfc822-headers\r\n"));
	assert_false(has(f, "Hello"));
	f->in.ret = 1;
	assert_true(has(f, "Hello"));
	f->in.size_limit = sizeof(MESSAGE) - 2;
	assert_false(has(f, "Hello"));
	f->in.size_limit = 50000;
	f->in.is_whole = false;
	assert_false(has(f, "Hello"));
}

static void
test_dsn_write_huge_header_is_cut_at_a_line(void **state)
{
	struct fixture *f = *state;

	add_failure(f, "ann@example.org", "550 no");
	f->in.size_limit = sizeof("From: Shop <news@shop.example>\r\nTo: a");
	assert_true(has(f, "From: Shop"));
	assert_false(has(f, "\r\nTo: ann@example.org\r\nSubject: Your"));
	assert_false(has(f, "\r\nTo: a\r\n"));
}

static void
test_dsn_write_knows_envelope_id_and_original_recipient(void **state)
{
	struct fixture *f = *state;
	struct dsn_item item = { .action = DSN_FAILED,
		.address = STR("ann@example.org"),
		.orcpt = STR("rfc822;Ann+2Bx@example.com"),
		.status = STR("5.2.2") };

	f->in.env_id = STR("QQ+2B314159");
	add(f, &item);
	assert_true(has(f, "Original-Envelope-Id: QQ+314159\r\n"));
	assert_true(
	    has(f, "Original-Recipient: rfc822; Ann+x@example.com\r\n"));
	assert_true(has(f, "Status: 5.2.2\r\n"));
}

static void
test_dsn_write_subject_follows_the_gravest_recipient(void **state)
{
	struct fixture *f = *state;
	struct dsn_item item = { .action = DSN_RELAYED,
		.address = STR("bob@example.org") };

	add(f, &item);
	assert_true(has(f, "Subject: Successful Mail Delivery Report\r\n"));
	assert_true(has(f, "Action: relayed\r\nStatus: 2.0.0\r\n"));
	item.action = DSN_DELAYED;
	f->in.expires_us = f->in.now_us + 1000000;
	add(f, &item);
	assert_true(has(f, "Subject: Delayed Mail (still being retried)\r\n"));
	assert_true(has(f, "Will-Retry-Until: Thu, 01 Jan 2026 00:00:01"));
	add_failure(f, "ann@example.org", "550 no");
	assert_true(has(f, "Subject: Undelivered Mail Returned to Sender\r\n"));
}

static void
test_dsn_write_utf8_addresses_make_a_global_report(void **state)
{
	struct fixture *f = *state;

	f->in.is_utf8 = true;
	add_failure(f, "j\xc3\xb6rg@example.org", "550 nein, J\xc3\xb6rg");
	assert_true(has(f, "report-type=global-delivery-status"));
	assert_true(has(f, "Content-Type: message/global-delivery-status"));
	assert_true(has(f, "Final-Recipient: utf-8; j\xc3\xb6rg@example.org"));
	assert_true(f->out.is_utf8);
	f->in.is_utf8 = false;
	assert_true(has(f, "nein, J??rg"));
	assert_false(f->out.is_8bit);
}

static void
test_dsn_write_refuses_what_says_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(dsn_write(&f->in, &f->out), -ENODATA);
	f->in.items = STR("\x01");
	assert_int_equal(dsn_write(&f->in, &f->out), -EBADMSG);
	add_failure(f, "ann@example.org", "550 no");
	f->in.items.len--;
	assert_int_equal(dsn_write(&f->in, &f->out), -EBADMSG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dsn_write_is_read_back_by_our_own_reader),
		TEST(test_dsn_write_lines_end_in_crlf_and_are_short),
		TEST(test_dsn_write_foreign_text_cannot_add_fields),
		TEST(test_dsn_write_returns_all_or_the_header_as_asked),
		TEST(test_dsn_write_huge_header_is_cut_at_a_line),
		TEST(test_dsn_write_knows_envelope_id_and_original_recipient),
		TEST(test_dsn_write_subject_follows_the_gravest_recipient),
		TEST(test_dsn_write_utf8_addresses_make_a_global_report),
		TEST(test_dsn_write_refuses_what_says_nothing),
	};

	return cmocka_run_group_tests(
	    tests, report_group_begin, report_group_end);
}
