/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <jansson.h>
#include <string.h>

#include "event_id.h"
#include "event_json.h"
#include "json_put.h"

static const struct uuid msgid = { { 0x01, 0x93, 0x50, 0x11, 0x22, 0x33, 0x70,
    0x44, 0x80, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb } };
static const char msgid_text[] = "01935011-2233-7044-8055-66778899aabb";

struct fixture {
	struct event_accepted acc;
	struct event_delivery delivery;
	struct buf rcpts;
	struct event_view view;
};

static int
set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct event_rcpt a = { STR("a@sink.test"), STR(""), 0 };
	struct event_rcpt b = { STR("b@sink.test"), STR("rfc822;B@sink.test"),
		RCPT_NOTIFY_FAILURE | RCPT_NOTIFY_DELAY };

	event_rcpt_add(&f->rcpts, &a);
	event_rcpt_add(&f->rcpts, &b);
	f->acc = (struct event_accepted){
		.time_us = 1700000000000000,
		.msgid = msgid,
		.account = 7,
		.key = 12,
		.account_name = STR("shop/eu"),
		.class = CLASS_STANDARD,
		.sender = STR("orders@shop.test"),
		.header_from = STR("orders@shop.test"),
		.subject = STR("Your order"),
		.message_id = STR("<1@shop.test>"),
		.size = 1234,
		.nrcpt = 2,
		.rcpts = buf_str(&f->rcpts),
		.tags = STR("order, first buy"),
		.metadata = STR("{\"order\": 17, \"nested\":{\"a\":[1,2]}}"),
		.submit_proto = STR("ESMTPSA"),
		.submit_client_ip = STR("192.0.2.7"),
		.submit_call_ms = 4,
		.session_id = STR("s1"),
	};
	f->delivery = (struct event_delivery){
		.time_us = 1700000001000250,
		.msgid = msgid,
		.accept_lsn = 0x1000010,
		.account = 7,
		.rcpt = 1,
		.age_ms = 1000,
		.attempt = 1,
		.rcpt_to = STR("b@sink.test"),
		.smtp_code = 250,
		.smtp_enh = STR("2.0.0"),
		.smtp_text = STR("2.0.0 stored\nas 1"),
		.source_ip = STR("192.0.2.1"),
		.dest_ip = STR("198.51.100.2"),
		.dest_host = STR("mx.sink.test"),
		.size = 1300,
		.esmtp = STR("PIPELINING SIZE 8BITMIME"),
		.tls_proto = STR("TLSv1.3"),
		.tls_verified = 1,
		.delays_dns_ms = 3,
		.delays_data_ms = 20,
		.conn_use = 2,
	};
	f->view = (struct event_view){ EVENT_delivery, &f->delivery, &f->acc,
		0x1000020 };
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	buf_fini(&f->rcpts);
	free(f);
	return 0;
}

static const char *
text(json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static json_int_t
number(json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static void
test_event_json_has_the_form_of_cloudmailin(void **state)
{
	struct fixture *f = *state;
	json_t *o = event_json(&f->view);

	assert_int_equal(json_object_size(o), 4);
	assert_string_equal(text(o, "kind"), "delivery");
	assert_string_equal(text(o, "recipient"), "b@sink.test");
	assert_string_equal(text(o, "message_id"), msgid_text);
	assert_true(json_is_object(json_object_get(o, "details")));
	json_decref(o);
}

static void
test_event_json_details_hold_the_attempt(void **state)
{
	struct fixture *f = *state;
	json_t *o = event_json(&f->view);
	json_t *d = json_object_get(o, "details");
	json_t *smtp = json_object_get(d, "smtp");
	json_t *tls = json_object_get(d, "tls");

	assert_int_equal(number(d, "ts"), 1700000001000250000);
	assert_string_equal(
	    text(d, "ts_rfc3339"), "2023-11-14T22:13:21.000250Z");
	assert_int_equal(number(smtp, "code"), 250);
	assert_string_equal(text(smtp, "text"), "2.0.0 stored\nas 1");
	assert_string_equal(text(tls, "proto"), "TLSv1.3");
	assert_true(json_is_true(json_object_get(tls, "verified")));
	assert_true(json_is_false(json_object_get(tls, "fallback")));
	assert_true(json_is_false(json_object_get(d, "hard")));
	assert_int_equal(number(json_object_get(d, "delays"), "dns_ms"), 3);
	assert_int_equal(number(d, "size"), 1300);
	assert_int_equal(json_array_size(json_object_get(d, "esmtp")), 3);
	json_decref(o);
}

static void
test_event_json_details_repeat_what_was_accepted(void **state)
{
	struct fixture *f = *state;
	json_t *o = event_json(&f->view);
	json_t *d = json_object_get(o, "details");
	json_t *tags = json_object_get(d, "tags");

	assert_string_equal(text(d, "account"), "shop");
	assert_string_equal(text(d, "subaccount"), "eu");
	assert_int_equal(number(d, "key_id"), 12);
	assert_string_equal(text(d, "class"), "standard");
	assert_string_equal(text(d, "from"), "orders@shop.test");
	assert_string_equal(text(d, "header_message_id"), "<1@shop.test>");
	assert_int_equal(json_array_size(tags), 2);
	assert_string_equal(
	    json_string_value(json_array_get(tags, 1)), "first buy");
	assert_int_equal(number(json_object_get(d, "metadata"), "order"), 17);
	assert_string_equal(
	    text(json_object_get(d, "submit"), "client_ip"), "192.0.2.7");
	assert_string_equal(
	    text(json_object_get(d, "submit"), "session_id"), "s1");
	assert_string_equal(text(d, "orcpt"), "rfc822;B@sink.test");
	assert_int_equal(number(d, "nrcpt"), 2);
	assert_int_equal(number(d, "rcpt_n"), 1);
	assert_null(json_object_get(d, "recipients"));
	json_decref(o);
}

static void
test_event_json_leaves_out_what_is_not_known(void **state)
{
	struct fixture *f = *state;
	json_t *o;
	json_t *d;

	f->delivery.smtp_text = (struct str){ 0 };
	f->delivery.delays_dns_ms = 0;
	f->delivery.delays_data_ms = 0;
	f->view.acc = NULL;
	o = event_json(&f->view);
	d = json_object_get(o, "details");
	assert_null(json_object_get(json_object_get(d, "smtp"), "text"));
	assert_null(json_object_get(d, "delays"));
	assert_null(json_object_get(d, "subject"));
	assert_null(json_object_get(d, "account"));
	json_decref(o);
}

static void
test_event_json_accepted_names_all_recipients(void **state)
{
	struct fixture *f = *state;
	struct event_view v = { EVENT_accepted, &f->acc, NULL, 0x1000010 };
	json_t *o = event_json(&v);
	json_t *d = json_object_get(o, "details");

	assert_string_equal(text(o, "recipient"), "a@sink.test");
	assert_int_equal(json_array_size(json_object_get(d, "recipients")), 2);
	assert_int_equal(number(d, "size"), 1234);
	json_decref(o);
}

static void
test_event_json_takes_the_recipient_from_the_envelope(void **state)
{
	struct fixture *f = *state;

	f->delivery.rcpt_to = (struct str){ 0 };
	assert_true(str_is(event_recipient(&f->view), "b@sink.test"));
	f->delivery.rcpt = 9;
	assert_int_equal(event_recipient(&f->view).len, 0);
}

static void
test_event_json_replaces_bytes_that_are_no_text(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{ STR("caf\xc3\xa9"), "\"caf\xc3\xa9\"" },
		{ STR("caf\xe9!"), "\"caf\xef\xbf\xbd!\"" },
		{ STR("\xed\xa0\x80"),
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ STR("a\0b"),
		    "\"a\xef\xbf\xbd"
		    "b\"" },
		{ STR("\x1b[0m\r\n\t\"\\"), "\"\\u001b[0m\\r\\n\\t\\\"\\\\\"" },
		{ STR("\xe2\x80\xa8"), "\"\\u2028\"" },
		{ STR("\xc2\x85\x7f"), "\"\\u0085\\u007f\"" },
		{ STR("\xf0\x9f\x93\xac"), "\"\xf0\x9f\x93\xac\"" },
		{ STR("\xf0\x9f\x93"),
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ STR(""), "\"\"" },
	};
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		b.len = 0;
		json_put_text(&b, rows[i].in);
		assert_true(str_is(buf_str(&b), rows[i].out));
	}
	buf_fini(&b);
}

static void
test_event_json_metadata_is_an_object_or_absent(void **state)
{
	static const char *const bad[] = { "{", "[1]", "\"a\"", "{\"a\":1}x",
		"{\"a\":\"\\u0000\"}", "nonsense", "{\"a\":1e999}" };
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		json_put_object_text(&b, "metadata", str_of(bad[i]));
		assert_int_equal(b.len, 0);
	}
	buf_puts(&b, "{\"a\":");
	for (int i = 0; i < 100; i++) {
		buf_puts(&b, "[");
	}
	for (int i = 0; i < 100; i++) {
		buf_puts(&b, "]");
	}
	buf_puts(&b, "}");
	{
		struct buf out = { 0 };

		json_put_object_text(&out, "metadata", buf_str(&b));
		assert_int_equal(out.len, 0);
	}
	buf_fini(&b);
}

static void
test_event_json_numbers_too_large_for_readers_are_text(void **state)
{
	struct buf b = { 0 };

	(void)state;
	json_put_num(&b, "a", INT64_MAX);
	json_put_num(&b, "b", UINT64_MAX);
	assert_true(str_is(buf_str(&b),
	    "\"a\":9223372036854775807,"
	    "\"b\":\"18446744073709551615\""));
	buf_fini(&b);
}

static void
test_event_json_id_is_stable_sorted_and_names_the_record(void **state)
{
	struct uuid a = event_id(1700000001000250, &msgid, 0x1000020);
	struct uuid b = event_id(1700000001000250, &msgid, 0x1000020);
	struct uuid later = event_id(1700000001000251, &msgid, 0x1000028);
	char t[UUID_TEXT_SIZE];

	(void)state;
	assert_true(uuid_eq(&a, &b));
	assert_true(memcmp(a.b, later.b, 16) < 0);
	assert_int_equal(event_id_lsn(&a), 0x1000020);
	assert_int_equal(uuid_wall_ms(&a), 1700000001000);
	uuid_print(&a, t);
	assert_int_equal(t[14], '7');
	assert_memory_equal(t + 24, "000001000020", 12);
}

static void
test_event_json_peeks_what_decoding_finds(void **state)
{
	struct fixture *f = *state;
	struct event_common c;
	struct buf b = { 0 };

	assert_int_equal(event_encode(&b, EVENT_delivery, &f->delivery), 0);
	assert_true(event_peek(EVENT_delivery, buf_str(&b), &c));
	assert_int_equal(c.time_us, f->delivery.time_us);
	assert_int_equal(c.accept_lsn, f->delivery.accept_lsn);
	assert_int_equal(c.account, 7);
	assert_int_equal(c.rcpt, 1);
	assert_true(uuid_eq(&c.msgid, &msgid));
	assert_false(event_peek(EVENT_intake, buf_str(&b), &c));
	assert_false(event_peek(EVENT_delivery, (struct str){ "", 0 }, &c));
	buf_fini(&b);
}

static void
test_event_json_line_is_flat_and_one_line(void **state)
{
	struct fixture *f = *state;
	struct buf b = { 0 };
	json_t *o;

	event_json_line(&b, &f->view);
	assert_null(memchr(b.p, '\n', b.len));
	o = json_loadb((const char *)b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	assert_int_equal(number(o, "lsn"), 0x1000020);
	assert_string_equal(text(o, "message_id"), msgid_text);
	assert_string_equal(text(o, "dest_host"), "mx.sink.test");
	json_decref(o);
	buf_fini(&b);
}

static void
test_event_json_every_type_makes_an_object(void **state)
{
	uint8_t zero[EVENT_STRUCT_MAX] = { 0 };
	size_t n;
	const struct event_desc *const *all = event_descs(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct event_view v = { all[i]->type, zero, NULL, 64 };
		json_t *o = event_json(&v);

		assert_string_equal(text(o, "kind"), all[i]->name);
		json_decref(o);
	}
}

/* Two members of one name are no JSON that readers agree on (RFC 8259 4). */
static void
test_event_json_no_type_has_two_members_of_one_name(void **state)
{
	size_t n;
	const struct event_desc *const *all = event_descs(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		uint8_t ones[EVENT_STRUCT_MAX] = { 0 };
		struct event_view v = { all[i]->type, ones, NULL, 64 };
		const struct rec_field *f = all[i]->fields;

		for (; f->type != REC_T_END; f++) {
			if (f->type == REC_T_U8 || f->type == REC_T_U16 ||
			    f->type == REC_T_U32 || f->type == REC_T_U64) {
				ones[f->offset] = 1;
			}
		}
		json_decref(event_json(&v)); /* refuses such */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_event_json_has_the_form_of_cloudmailin),
		T(test_event_json_details_hold_the_attempt),
		T(test_event_json_details_repeat_what_was_accepted),
		T(test_event_json_leaves_out_what_is_not_known),
		T(test_event_json_accepted_names_all_recipients),
		T(test_event_json_takes_the_recipient_from_the_envelope),
		T(test_event_json_replaces_bytes_that_are_no_text),
		T(test_event_json_metadata_is_an_object_or_absent),
		T(test_event_json_numbers_too_large_for_readers_are_text),
		T(test_event_json_id_is_stable_sorted_and_names_the_record),
		T(test_event_json_peeks_what_decoding_finds),
		T(test_event_json_line_is_flat_and_one_line),
		T(test_event_json_every_type_makes_an_object),
		T(test_event_json_no_type_has_two_members_of_one_name),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
