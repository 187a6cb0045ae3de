#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "event.h"
#include "ipc.h"

static const struct ipc_auth_req sample = {
	.login = { "alice", 5 },
	.password = { "secret", 6 },
	.client_ip = { "192.0.2.1", 9 },
	.method = { "smtp/send", 9 },
};

static int
decode(const struct buf *b, size_t len, unsigned from, unsigned to,
    struct ipc_head *head, void *rec)
{
	struct str packet = { (const char *)b->p, len };

	return ipc_decode(&packet, from, to, head, rec);
}

static void
test_ipc_a_message_is_read_as_it_was_sent(void **state)
{
	_Alignas(16) uint8_t rec[IPC_STRUCT_MAX];
	const struct ipc_auth_req *got = (const void *)rec;
	struct ipc_head head;
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(ipc_encode(&b, IPC_auth_req, 7, &sample), 0);
	assert_int_equal(
	    decode(&b, b.len, ROLE_SMTPD, ROLE_ACCOUNTD, &head, rec), 0);
	assert_int_equal(head.type, IPC_auth_req);
	assert_int_equal(head.id, 7);
	assert_true(str_eq(got->login, sample.login));
	assert_true(str_eq(got->password, sample.password));
	assert_true(str_eq(got->method, sample.method));
	buf_fini(&b);
}

static void
test_ipc_every_truncation_is_refused(void **state)
{
	_Alignas(16) uint8_t rec[IPC_STRUCT_MAX];
	struct ipc_head head;
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(ipc_encode(&b, IPC_auth_req, 7, &sample), 0);
	for (size_t n = 1; n < b.len; n++) {
		assert_int_equal(
		    decode(&b, n, ROLE_SMTPD, ROLE_ACCOUNTD, &head, rec),
		    -EBADMSG);
	}
	buf_fini(&b);
}

static void
test_ipc_who_may_not_say_it_is_refused(void **state)
{
	_Alignas(16) uint8_t rec[IPC_STRUCT_MAX];
	struct ipc_head head;
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(ipc_encode(&b, IPC_auth_req, 7, &sample), 0);
	assert_int_equal(
	    decode(&b, b.len, ROLE_DELIVER, ROLE_ACCOUNTD, &head, rec), -EPERM);
	assert_int_equal(
	    decode(&b, b.len, ROLE_SMTPD, ROLE_QMGR, &head, rec), -EPERM);
	buf_fini(&b);
}

static void
test_ipc_a_text_beyond_its_limit_is_not_sent(void **state)
{
	char longer[300];
	struct ipc_auth_req m = sample;
	struct buf b = { 0 };

	(void)state;
	memset(longer, 'x', sizeof(longer));
	m.login = (struct str){ longer, 255 };
	assert_int_equal(ipc_encode(&b, IPC_auth_req, 7, &m), -EMSGSIZE);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void
test_ipc_a_packet_holds_many_messages(void **state)
{
	_Alignas(16) uint8_t rec[IPC_STRUCT_MAX];
	struct ipc_head head;
	struct buf b = { 0 };
	struct str packet;
	uint32_t id;

	(void)state;
	for (id = 1; id <= 5; id++) {
		assert_int_equal(ipc_encode(&b, IPC_auth_req, id, &sample), 0);
	}
	packet = buf_str(&b);
	for (id = 1; id <= 5; id++) {
		assert_int_equal(
		    ipc_decode(&packet, ROLE_SMTPD, ROLE_ACCOUNTD, &head, rec),
		    0);
		assert_int_equal(head.id, id);
	}
	assert_int_equal(
	    ipc_decode(&packet, ROLE_SMTPD, ROLE_ACCOUNTD, &head, rec),
	    -ENODATA);
	buf_fini(&b);
}

static void
test_event_an_older_record_lacks_its_last_fields(void **state)
{
	_Alignas(16) uint8_t rec[EVENT_STRUCT_MAX];
	const struct event_blocked *got = (const void *)rec;
	struct event_blocked e = { .time_us = 5,
		.rcpt = 3,
		.rcpt_to = STR("a@example.net"),
		.class = STR("spam") };
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(event_encode(&b, EVENT_blocked, &e), 0);
	/* without smtp_text, an empty text of two bytes */
	assert_int_equal(event_decode(EVENT_blocked, b.p, b.len - 2, rec), 0);
	assert_int_equal(got->rcpt, 3);
	assert_true(str_is(got->class, "spam"));
	assert_int_equal(got->smtp_text.len, 0);
	assert_int_equal(event_decode(9999, b.p, b.len, rec), -ENOENT);
	buf_fini(&b);
}

static void
test_event_recipients_are_read_as_written(void **state)
{
	struct event_rcpt a = { STR("a@example.net"), STR("rfc822;b@c"), 5 };
	struct event_rcpt got;
	struct buf b = { 0 };
	struct str rest;

	(void)state;
	event_rcpt_add(&b, &a);
	event_rcpt_add(&b, &(struct event_rcpt){ STR("x@y"), { 0 }, 0 });
	rest = buf_str(&b);
	assert_true(event_rcpt_next(&rest, &got));
	assert_true(str_eq(got.address, a.address));
	assert_true(str_eq(got.orcpt, a.orcpt));
	assert_int_equal(got.notify, 5);
	assert_true(event_rcpt_next(&rest, &got));
	assert_false(event_rcpt_next(&rest, &got));
	rest = (struct str){ (const char *)b.p, 10 };
	assert_false(event_rcpt_next(&rest, &got));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipc_a_message_is_read_as_it_was_sent),
		cmocka_unit_test(test_ipc_every_truncation_is_refused),
		cmocka_unit_test(test_ipc_who_may_not_say_it_is_refused),
		cmocka_unit_test(test_ipc_a_text_beyond_its_limit_is_not_sent),
		cmocka_unit_test(test_ipc_a_packet_holds_many_messages),
		cmocka_unit_test(
		    test_event_an_older_record_lacks_its_last_fields),
		cmocka_unit_test(test_event_recipients_are_read_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
