#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "packet.h"
#include "resolvd_wire.h"

static int
parse(const struct wire *w, const char *name, struct packet *out)
{
	return packet_parse(w->b.p, w->b.len, name, w->type, out);
}

static void
test_packet_reads_mx_records_with_their_preference(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "example.com", PACKET_MX, 0);
	wire_mx(&w, 10, "MX1.Example.com");
	wire_mx(&w, 20, "mx2.example.com");
	assert_int_equal(parse(&w, "Example.COM", &k), 0);
	assert_int_equal(k.status, PACKET_DATA);
	assert_int_equal(k.n, 2);
	assert_int_equal(k.records[1].pref, 20);
	assert_int_equal(k.ttl_s, 300);
	assert_true(str_is(packet_data(&k, 0), "mx1.example.com"));
	packet_fini(&k);
	buf_fini(&w.b);
}

static void
test_packet_follows_aliases_in_any_order(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_A, 0);
	wire_cname(&w, "b.test", "c.test");
	wire_a(&w, "192.0.2.1");
	wire_cname(&w, "a.test", "b.test");
	assert_int_equal(parse(&w, "a.test", &k), 0);
	assert_int_equal(k.n, 1);
	assert_int_equal(k.n_aliases, 2);
	assert_true(str_is(packet_alias(&k, 1), "c.test"));
	packet_fini(&k);
	buf_fini(&w.b);
}

static void
test_packet_ignores_records_of_other_names(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_A, 0);
	wire_rr(&w, "b.test", PACKET_A, 5, "\300\0\2\1", 4);
	assert_int_equal(parse(&w, "a.test", &k), 0);
	assert_int_equal(k.status, PACKET_NODATA);
	assert_int_equal(k.n, 0);
	packet_fini(&k);
	buf_fini(&w.b);
}

static void
test_packet_alias_loop_is_refused(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_A, 0);
	wire_cname(&w, "a.test", "b.test");
	wire_cname(&w, "b.test", "a.test");
	assert_int_equal(parse(&w, "a.test", &k), -EBADMSG);
	buf_fini(&w.b);
}

static void
test_packet_joins_the_strings_of_txt(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_TXT, 0);
	wire_txt(&w, "v=DKIM1; p=MII", "Bx", "", NULL);
	assert_int_equal(parse(&w, "a.test", &k), 0);
	assert_true(str_is(packet_data(&k, 0), "v=DKIM1; p=MIIBx"));
	packet_fini(&k);
	buf_fini(&w.b);
}

/* Lengths that have made other servers read beyond the end. */
static void
test_packet_short_data_is_left_out_and_counted(void **state)
{
	static const struct {
		uint16_t type;
		size_t len;
	} cases[] = { { PACKET_MX, 0 }, { PACKET_MX, 1 }, { PACKET_MX, 2 },
		{ PACKET_TLSA, 0 }, { PACKET_TLSA, 1 }, { PACKET_TLSA, 2 },
		{ PACKET_TLSA, 3 }, { PACKET_A, 3 }, { PACKET_A, 5 },
		{ PACKET_AAAA, 15 }, { PACKET_TXT, 0 }, { PACKET_PTR, 0 } };

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct packet k;
		struct wire w;

		wire_begin(&w, "a.test", cases[i].type, 0);
		wire_rr(&w, "a.test", cases[i].type, 5,
		    "\0\0\0\0\0\0\0\0\0"
		    "\0\0\0\0\0\0\0",
		    cases[i].len);
		assert_int_equal(parse(&w, "a.test", &k), 0);
		assert_int_equal(k.status, PACKET_DATA);
		assert_int_equal(k.n, 0);
		assert_int_equal(k.n_bad, 1);
		packet_fini(&k);
		buf_fini(&w.b);
	}
}

static void
test_packet_names_inside_data_end_with_the_data(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_MX, 0);
	/* the name would go on into the next record */
	wire_rr(&w, "a.test", PACKET_MX, 5, "\0\12\2mx", 5);
	wire_rr(&w, "a.test", PACKET_MX, 5, "\0\12\2mx\0junk", 10);
	wire_mx(&w, 20, "ok.test");
	assert_int_equal(parse(&w, "a.test", &k), 0);
	assert_int_equal(k.n, 1);
	assert_int_equal(k.n_bad, 2);
	packet_fini(&k);
	buf_fini(&w.b);
}

static void
test_packet_pointers_lead_backwards_only(void **state)
{
	static const uint8_t self[] = { 0xc0, 0 };
	static const uint8_t forward[] = { 0xc0, 2, 0 };
	static const uint8_t pair[] = { 1, 'a', 0xc0, 0 };
	static const uint8_t good[] = { 1, 'a', 0, 1, 'b', 0xc0, 0 };
	char name[DOMAIN_NAME_MAX + 1];
	size_t off = 0;

	(void)state;
	assert_int_equal(packet_name(self, 2, &off, name), -EBADMSG);
	assert_int_equal(packet_name(forward, 3, &off, name), -EBADMSG);
	off = 2;
	assert_int_equal(packet_name(pair, 4, &off, name), -EBADMSG);
	off = 3;
	assert_int_equal(packet_name(good, 7, &off, name), 0);
	assert_string_equal(name, "b.a");
	assert_int_equal(off, 7);
}

static void
test_packet_names_without_text_form_are_told_apart(void **state)
{
	static const uint8_t dot[] = { 3, 'a', '.', 'b', 0 };
	static const uint8_t nul[] = { 2, 'a', 0, 0 };
	char name[DOMAIN_NAME_MAX + 1];
	size_t off = 0;

	(void)state;
	assert_int_equal(packet_name(dot, 5, &off, name), -EILSEQ);
	assert_int_equal(off, 5);
	off = 0;
	assert_int_equal(packet_name(nul, 4, &off, name), -EILSEQ);
	assert_string_equal(name, "");
}

static void
test_packet_names_above_255_bytes_are_refused(void **state)
{
	uint8_t wire[64 * 4 + 1] = { 0 };
	char name[DOMAIN_NAME_MAX + 1];
	size_t off = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		wire[64 * i] = 63;
		memset(wire + 64 * i + 1, 'a', 63);
	}
	assert_int_equal(packet_name(wire, sizeof(wire), &off, name), -EBADMSG);
	wire[192] = 61; /* 63 + 63 + 63 + 61, dots: 253 */
	wire[192 + 62] = 0;
	off = 0;
	assert_int_equal(packet_name(wire, sizeof(wire), &off, name), 0);
	assert_int_equal(strlen(name), DOMAIN_NAME_MAX);
}

static void
test_packet_every_truncation_is_refused_or_smaller(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_MX, 0);
	wire_mx(&w, 10, "mx.a.test");
	for (size_t n = 0; n < w.b.len; n++) {
		uint8_t *copy = mem_dup(w.b.p, n + 1); /* exact for ASan */

		copy = mem_resize(copy, n > 0 ? n : 1);
		assert_int_equal(
		    packet_parse(copy, n, "a.test", PACKET_MX, &k), -EBADMSG);
		free(copy);
	}
	buf_fini(&w.b);
}

static void
test_packet_servfail_is_no_empty_answer(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_MX, 2);
	assert_int_equal(parse(&w, "a.test", &k), 0);
	assert_int_equal(k.status, PACKET_FAILED);
	assert_int_equal(k.rcode, 2);
	packet_fini(&k);
	buf_fini(&w.b);
}

static void
test_packet_nxdomain_keeps_the_aliases_that_led_there(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_MX, 3);
	wire_cname(&w, "a.test", "gone.test");
	assert_int_equal(parse(&w, "a.test", &k), 0);
	assert_int_equal(k.status, PACKET_NXDOMAIN);
	assert_int_equal(k.n_aliases, 1);
	assert_int_equal(k.ttl_s, PACKET_NEGATIVE_TTL_S);
	packet_fini(&k);
	buf_fini(&w.b);
}

static void
test_packet_negative_ttl_is_that_of_the_soa(void **state)
{
	static const uint8_t soa[22] = { [21] = 30 }; /* minimum 30 */
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_MX, 3);
	wire_rr(&w, "test", PACKET_SOA, 50, soa, sizeof(soa));
	w.b.p[7] = 0;
	w.b.p[9] = 1; /* in the authority section */
	assert_int_equal(parse(&w, "a.test", &k), 0);
	assert_int_equal(k.ttl_s, 30);
	packet_fini(&k);
	buf_fini(&w.b);
}

static void
test_packet_answer_to_another_question_is_refused(void **state)
{
	struct packet k;
	struct wire w;

	(void)state;
	wire_begin(&w, "a.test", PACKET_MX, 0);
	assert_int_equal(parse(&w, "b.test", &k), -EBADMSG);
	w.type = PACKET_A;
	assert_int_equal(parse(&w, "a.test", &k), -EBADMSG);
	w.type = PACKET_MX;
	w.b.p[2] |= 2; /* truncated */
	assert_int_equal(parse(&w, "a.test", &k), -EBADMSG);
	w.b.p[2] = 1; /* a question */
	assert_int_equal(parse(&w, "a.test", &k), -EBADMSG);
	buf_fini(&w.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_packet_reads_mx_records_with_their_preference),
		cmocka_unit_test(test_packet_follows_aliases_in_any_order),
		cmocka_unit_test(test_packet_ignores_records_of_other_names),
		cmocka_unit_test(test_packet_alias_loop_is_refused),
		cmocka_unit_test(test_packet_joins_the_strings_of_txt),
		cmocka_unit_test(
		    test_packet_short_data_is_left_out_and_counted),
		cmocka_unit_test(
		    test_packet_names_inside_data_end_with_the_data),
		cmocka_unit_test(test_packet_pointers_lead_backwards_only),
		cmocka_unit_test(
		    test_packet_names_without_text_form_are_told_apart),
		cmocka_unit_test(test_packet_names_above_255_bytes_are_refused),
		cmocka_unit_test(
		    test_packet_every_truncation_is_refused_or_smaller),
		cmocka_unit_test(test_packet_servfail_is_no_empty_answer),
		cmocka_unit_test(
		    test_packet_nxdomain_keeps_the_aliases_that_led_there),
		cmocka_unit_test(test_packet_negative_ttl_is_that_of_the_soa),
		cmocka_unit_test(
		    test_packet_answer_to_another_question_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
