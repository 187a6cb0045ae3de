/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "addr_filter.h"
#include "cursor.h"
#include "mandrill.h"
#include "retry.h"
#include "ring.h"
#include "sign.h"
#include "url.h"

#define S 1000000ULL

/* ---- retry -------------------------------------------------------------- */

static void
test_retry_schedule_reads_units_and_repeats_its_last_step(void **state)
{
	struct retry_schedule s;

	(void)state;
	assert_int_equal(retry_schedule_parse("10s, 30 1m 2h\t1d", &s), 0);
	assert_int_equal(s.n, 5);
	assert_int_equal(retry_wait(&s, 1, 0, 7), 10 * S);
	assert_int_equal(retry_wait(&s, 2, 0, 7), 30 * S);
	assert_int_equal(retry_wait(&s, 5, 0, 7), 86400 * S);
	assert_int_equal(retry_wait(&s, 99, 0, 7), 86400 * S);
}

static void
test_retry_schedule_refuses_what_is_no_list_of_times(void **state)
{
	static const char *const bad[] = { "", " ,", "s", "1x", "-1", "1 m",
		"10s;20s", "99999999999999999999" };
	struct retry_schedule s = { .n = 77 };

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(retry_schedule_parse(bad[i], &s), -EINVAL);
		assert_int_equal(s.n, 77);
	}
}

static void
test_retry_jitter_stays_within_its_percent(void **state)
{
	struct retry_schedule s;
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	assert_int_equal(retry_schedule_parse("100s", &s), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t w = retry_wait(&s, 1, 10, i * 2654435761u);

		least = w < least ? w : least;
		most = w > most ? w : most;
	}
	assert_true(least >= 90 * S && least < 91 * S);
	assert_true(most <= 110 * S && most > 109 * S);
}

static void
test_retry_after_takes_seconds_and_dates_and_nothing_else(void **state)
{
	/* Sun, 06 Nov 1994 08:49:37 GMT */
	const uint64_t date = 784111777;
	static const char *const bad[] = { "", "soon", "-5", "1e9", "12 34",
		"1994-11-06", "0x10", "99999999999999999999999",
		"Sun, 99 Nov 1994 08:49:37 GMT" };
	uint64_t seconds = 0;

	(void)state;
	assert_int_equal(retry_after_parse(STR(" 120\r\n"), date, &seconds), 0);
	assert_int_equal(seconds, 120);
	assert_int_equal(retry_after_parse(STR("0"), date, &seconds), 0);
	assert_int_equal(seconds, 0);
	assert_int_equal(
	    retry_after_parse(STR("1000000000"), date, &seconds), 0);
	assert_int_equal(seconds, 1000000000);
	assert_int_equal(retry_after_parse(STR("Sun, 06 Nov 1994 08:49:37 GMT"),
			     date - 60, &seconds),
	    0);
	assert_int_equal(seconds, 60);
	assert_int_equal(retry_after_parse(STR("Sun, 06 Nov 1994 08:49:37 GMT"),
			     date + 60, &seconds),
	    0);
	assert_int_equal(seconds, 0);
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(
		    retry_after_parse(str_of(bad[i]), date, &seconds), -EINVAL);
	}
}

/* ---- signatures --------------------------------------------------------- */

static void
test_sign_v1_agrees_with_another_implementation(void **state)
{
	/* printf '1700000000.{"events":[]}' | openssl dgst -sha256 -hmac k */
	char hex[SIGN_V1_SIZE];

	(void)state;
	assert_int_equal(
	    sign_v1(STR("k"), 1700000000, STR("{\"events\":[]}"), hex), 0);
	assert_string_equal(hex,
	    "fad0a6560c224a5548753bbe9e8efb895a7c85585fc2fc2428fc5c1579a9c1c8");
}

static void
test_sign_header_has_both_secrets_while_one_is_changed(void **state)
{
	struct buf b = { 0 };
	char one[SIGN_V1_SIZE], two[SIGN_V1_SIZE], want[300];

	(void)state;
	assert_int_equal(sign_v1(STR("new"), 5, STR("body"), one), 0);
	assert_int_equal(sign_v1(STR("old"), 5, STR("body"), two), 0);
	assert_int_equal(
	    sign_header(&b, STR("new"), STR("old"), 5, STR("body")), 0);
	(void)snprintf(want, sizeof(want),
	    "Packetboat-Signature: t=5,v1=%s,v1=%s", one, two);
	assert_true(str_is(buf_str(&b), want));
	b.len = 0;
	assert_int_equal(
	    sign_header(&b, STR("new"), STR(""), 5, STR("body")), 0);
	(void)snprintf(
	    want, sizeof(want), "Packetboat-Signature: t=5,v1=%s", one);
	assert_true(str_is(buf_str(&b), want));
	buf_fini(&b);
}

static void
test_sign_mandrill_agrees_with_another_implementation(void **state)
{
	/* HMAC-SHA1 of "https://x.test/hmandrill_events[]" with key "k" */
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(
	    sign_mandrill(&b, STR("k"), STR("https://x.test/h"), STR("[]")), 0);
	assert_true(str_is(
	    buf_str(&b), "X-Mandrill-Signature: QCeDoARJN63f8rbUSHR6NDGYCQI="));
	buf_fini(&b);
}

/* ---- addresses ---------------------------------------------------------- */

static bool
allowed(const char *text, const char *nets)
{
	struct addr_nets allow;
	struct plan_address a;

	assert_int_equal(addr_nets_parse(nets, &allow), 0);
	assert_int_equal(addr_parse(text, &a), 0);
	return addr_is_allowed(&a, &allow);
}

static void
test_addr_filter_refuses_what_is_not_public(void **state)
{
	static const char *const bad[] = { "127.0.0.1", "127.255.255.254",
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",
		"100.64.0.1", "100.127.255.255", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.168.0.1", "192.0.2.1",
		"198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"255.255.255.255", "240.0.0.1", "::", "::1", "fd00:ec2::254",
		"fc00::1", "fe80::1", "fec0::1", "ff02::1", "::ffff:7f00:1",
		"::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1",
		"64:ff9b::10.0.0.1", "64:ff9b:1::1",
		"2002:7f00:1::", "2002:a00:1::1", "2001:db8::1",
		/* Teredo with 127.0.0.1 inside */
		"2001:0:4136:e378:8000:63bf:80ff:fffe", "100::1",
		"::ffff:0:127.0.0.1", "3fff::1", "5f00::1" };

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		if (allowed(bad[i], "")) {
			fail_msg("%s is allowed", bad[i]);
		}
	}
}

static void
test_addr_filter_allows_public_addresses(void **state)
{
	static const char *const good[] = { "8.8.8.8", "100.63.255.255",
		"100.128.0.1", "172.15.255.255", "172.32.0.1", "11.0.0.1",
		"169.253.1.1", "192.167.1.1", "223.255.255.254",
		"2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8",
		"64:ff9b::808:808", "2002:808:808::1" };

	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		if (!allowed(good[i], "")) {
			fail_msg("%s is refused", good[i]);
		}
	}
}

static void
test_addr_filter_makes_exceptions_of_networks(void **state)
{
	(void)state;
	assert_true(allowed("127.0.0.1", "127.0.0.0/8"));
	assert_true(allowed("::ffff:127.0.0.1", "127.0.0.0/8"));
	assert_false(allowed("10.0.0.1", "127.0.0.0/8"));
	assert_true(allowed("10.9.8.7", "192.168.0.0/16, 10.9.8.7"));
	assert_false(allowed("10.9.8.8", "192.168.0.0/16, 10.9.8.7"));
	assert_true(allowed("fd12::5", "fd12::/16"));
	assert_false(allowed("fd13::5", "fd12::/16"));
	assert_true(allowed("10.11.200.3", "10.11.192.0/18"));
	assert_false(allowed("10.11.128.3", "10.11.192.0/18"));
}

static void
test_addr_filter_refuses_lists_it_cannot_read(void **state)
{
	static const char *const bad[] = { "10.0.0.0/33", "10.0.0/8", "x",
		"fd00::/129", "10.0.0.0/a" };
	struct addr_nets n;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(addr_nets_parse(bad[i], &n), -EINVAL);
	}
}

/* ---- URLs --------------------------------------------------------------- */

static int
parse_url(const char *text, bool allow_http, struct url *u)
{
	struct url_ports ports;
	const char *why = NULL;

	assert_int_equal(url_ports_parse("80 443 1024-65535", &ports), 0);
	return url_parse(str_of(text), allow_http, &ports, u, &why);
}

static void
test_url_refuses_what_is_no_endpoint(void **state)
{
	static const char *const bad[] = { "", "x", "ftp://a.test/",
		"file:///etc/passwd", "http://a.test/", "https://",
		"https://ok@127.1/", "https://u:p@a.test/",
		"https://a.test:25/", "https://a.test:22/", "https://a.test:0/",
		"https://a.test:70000/", "https://a.test/\r\nX: y",
		"https://a.test/ x", "gopher://a.test/", "https://a b/",
		"a.test/hook",
		("https://b\xc3\xbc"
		 "cher.test/") };
	struct url u;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		if (parse_url(bad[i], false, &u) == 0) {
			fail_msg("%s is taken", bad[i]);
		}
	}
}

static void
test_url_knows_addresses_in_every_spelling(void **state)
{
	static const char *const local[] = { "https://127.0.0.1/",
		"https://2130706433/", "https://0177.0.0.1/", "https://0x7f.1/",
		"https://127.1/", "https://[::1]/",
		"https://[::ffff:127.0.0.1]/" };
	struct addr_nets none = { .n = 0 };
	struct url u;

	(void)state;
	for (size_t i = 0; i < array_len(local); i++) {
		assert_int_equal(parse_url(local[i], false, &u), 0);
		assert_true(u.is_literal);
		assert_false(addr_is_allowed(&u.address, &none));
		url_fini(&u);
	}
}

static void
test_url_gives_host_port_and_normal_form(void **state)
{
	struct url u;

	(void)state;
	assert_int_equal(
	    parse_url("https://Hook.Test:8443/a?b=c#d", false, &u), 0);
	assert_string_equal(u.host, "Hook.Test");
	assert_int_equal(u.port, 8443);
	assert_false(u.is_literal);
	assert_null(strchr(u.text, '#'));
	url_fini(&u);
	assert_int_equal(parse_url("https://hook.test./", false, &u), 0);
	assert_string_equal(u.host, "hook.test");
	assert_string_equal(u.text, "https://hook.test/");
	url_fini(&u);
	assert_int_equal(parse_url("http://a.test/", true, &u), 0);
	assert_int_equal(u.port, 80);
	url_fini(&u);
}

/* ---- cursors ------------------------------------------------------------ */

struct kept {
	struct cursor c[4];
	unsigned n;
};

static void
keep(void *arg, const struct cursor *c)
{
	struct kept *k = arg;

	assert_true(k->n < array_len(k->c));
	k->c[k->n++] = *c;
}

static void
add_again(void *arg, const struct cursor *c)
{
	cursor_add(arg, c);
}

static void
test_cursor_round_trip(void **state)
{
	const struct cursor a = { 7, 3, { 0x1000040, 0x1000018 }, 1700 };
	const struct cursor b = { UINT32_MAX, 0, { UINT64_MAX, 0 }, 0 };
	struct kept k = { .n = 0 };
	struct buf text = { 0 };

	(void)state;
	cursor_begin(&text);
	cursor_add(&text, &a);
	cursor_add(&text, &b);
	cursor_end(&text);
	assert_int_equal(cursor_parse(buf_str(&text), keep, &k), 0);
	assert_int_equal(k.n, 2);
	assert_memory_equal(&k.c[0], &a, sizeof(a));
	assert_memory_equal(&k.c[1], &b, sizeof(b));
	buf_fini(&text);
}

static void
test_cursor_has_its_dead_letters_behind_it(void **state)
{
	struct cursor a = { .hook = 7, .place = { 9, 8 }, .begin_us = 5 };
	const struct dead_range r = { 2, 1, 6, 3, 10, 11, 12, 13 };
	struct buf text = { 0 };
	struct buf again = { 0 };

	(void)state;
	dead_append(&a.dead, &r);
	dead_append(&a.dead, &r);
	cursor_begin(&text);
	cursor_add(&text, &a);
	cursor_end(&text);
	assert_true(str_starts(buf_str(&text),
	    "packetboat-cursors 1\n7 9 8 0 0 5 0\n"
	    "dead 7 2 1 6 3 10 11 12 13\ndead 7 "));
	cursor_begin(&again);
	assert_int_equal(cursor_parse(buf_str(&text), add_again, &again), 0);
	cursor_end(&again);
	assert_true(str_eq(buf_str(&text), buf_str(&again)));
	dead_fini(&a.dead);
	buf_fini(&text);
	buf_fini(&again);
}

static void
test_cursor_of_before_has_five_numbers(void **state)
{
	struct buf text = { 0 };
	struct kept k = { .n = 0 };

	(void)state;
	cursor_begin(&text);
	buf_puts(&text, "7 9 8 1700 3\n");
	cursor_end(&text);
	assert_int_equal(cursor_parse(buf_str(&text), keep, &k), 0);
	assert_int_equal(k.n, 1);
	assert_int_equal(k.c[0].failures, 3);
	assert_int_equal(k.c[0].begin_us, 0);
	buf_fini(&text);
}

/* ---- dead letters ------------------------------------------------------- */

static struct dead_range
range(uint64_t first, uint64_t last, uint64_t buried_us)
{
	return (struct dead_range){ .first = first,
		.last = last,
		.events = last - first + 1,
		.buried_us = buried_us };
}

static void
test_dead_failure_that_goes_on_is_one_range(void **state)
{
	const struct dead_range r[] = { range(1, 5, 100), range(7, 9, 200),
		range(20, 21, 900) };
	struct dead_list d = { 0 };

	(void)state;
	assert_int_equal(dead_add(&d, &r[0], 50, 9), 0);
	assert_int_equal(dead_add(&d, &r[1], 50, 9), 0);
	assert_int_equal(d.n, 1);
	assert_int_equal(dead_add(&d, &r[2], 800, 9), 0);
	assert_int_equal(d.n, 2);
	assert_int_equal(d.v[0].last, 9);
	assert_int_equal(dead_events(&d), 10);
	dead_fini(&d);
}

static void
test_dead_oldest_range_is_forgotten_unless_it_is_being_sent(void **state)
{
	struct dead_list d = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 3; i++) {
		const struct dead_range r = range(10 * i, 10 * i + i, i);

		assert_int_equal(dead_add(&d, &r, 1000, 3), 0);
	}
	d.v[1].asked_us = 7;
	assert_int_equal(dead_next(&d)->first, 20);
	for (uint64_t i = 4; i <= 5; i++) {
		const struct dead_range r = range(10 * i, 10 * i + i, i);

		assert_int_equal(dead_add(&d, &r, 1000, 3), i == 4 ? 2 : 4);
	}
	assert_int_equal(d.n, 3);
	assert_int_equal(d.v[0].first, 20);
	assert_int_equal(d.v[2].first, 50);
	dead_fini(&d);
}

static void
test_cursor_every_truncation_and_flip_is_refused(void **state)
{
	const struct cursor a = { 7, 3, { 0x1000040, 0x1000018 }, 1700 };
	struct kept k = { .n = 0 };
	struct buf text = { 0 };

	(void)state;
	cursor_begin(&text);
	cursor_add(&text, &a);
	cursor_end(&text);
	for (size_t n = 0; n < text.len; n++) {
		struct str s = { (const char *)text.p, n };

		assert_int_equal(cursor_parse(s, keep, &k), -EBADMSG);
		text.p[n] ^= 1;
		assert_int_equal(
		    cursor_parse(buf_str(&text), keep, &k), -EBADMSG);
		text.p[n] ^= 1;
	}
	assert_int_equal(k.n, 0);
	buf_fini(&text);
}

/* ---- the ring ----------------------------------------------------------- */

static void
test_ring_keeps_order_and_its_limit(void **state)
{
	struct ring r = { 0 };
	uint64_t in = 1, out = 1;

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 97; i++) {
			assert_true(
			    ring_push(&r, (struct ring_item){ in * 8, in }));
			in++;
		}
		assert_int_equal(ring_at(&r, 0)->lsn, out * 8);
		ring_drop(&r, 31);
		out += 31;
	}
	while (ring_push(&r, (struct ring_item){ in * 8, in })) {
		in++;
	}
	assert_int_equal(r.n, RING_MAX);
	for (size_t i = 0; i < r.n; i++) {
		assert_int_equal(ring_at(&r, i)->lsn, (out + i) * 8);
	}
	ring_fini(&r);
}

static void
test_ring_place_is_before_its_first(void **state)
{
	struct ring r = { 0 };

	(void)state;
	assert_true(ring_push(&r, (struct ring_item){ 0x1000020, 0x1000010 }));
	assert_true(ring_push(&r, (struct ring_item){ 0x1000030, 0x1000010 }));
	assert_int_equal(ring_place(&r).after, 0x100001f);
	assert_int_equal(ring_place(&r).from, 0x1000010);
	ring_drop(&r, 2);
	assert_null(r.items);
}

/* ---- Mandrill ----------------------------------------------------------- */

static void
test_mandrill_event_has_its_names(void **state)
{
	struct event_bounce e = { .time_us = 1700000001500000,
		.msgid = { { 1, 2, 3 } },
		.rcpt_to = STR("b@sink.test"),
		.class = STR("mailbox_full"),
		.smtp_text = STR("552 full"),
		.source_ip = STR("192.0.2.1"),
		.dest_ip = STR("192.0.2.2"),
		.size = 99 };
	struct event_accepted acc = { .time_us = 1700000000000000,
		.account_name = STR("shop/eu"),
		.sender = STR("a@shop.test"),
		.subject = STR("Hi"),
		.tags = STR("a,b"),
		.metadata = STR("{\"k\":1}") };
	struct event_view v = { EVENT_bounce, &e, &acc, 64 };
	struct buf b = { 0 };
	json_t *o, *msg;
	const char *event, *id, *email, *sub, *diag, *ip;
	int ts, code, k;

	(void)state;
	mandrill_append(&b, &v);
	o = json_loadb((const char *)b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	assert_int_equal(json_unpack(o, "{s:s,s:i,s:o}", "event", &event, "ts",
			     &ts, "msg", &msg),
	    0);
	assert_string_equal(event, "hard_bounce");
	assert_int_equal(ts, 1700000001);
	assert_int_equal(
	    json_unpack(msg, "{s:s,s:s,s:s,s:s,s:i,s:{s:i},s:[{s:s}]}", "_id",
		&id, "email", &email, "subaccount", &sub, "diag", &diag,
		"bgtools_code", &code, "metadata", "k", &k, "smtp_events",
		"destination_ip", &ip),
	    0);
	assert_string_equal(id, "01020300000000000000000000000000");
	assert_string_equal(email, "b@sink.test");
	assert_string_equal(sub, "eu");
	assert_string_equal(diag, "552 full");
	assert_int_equal(code, 22);
	assert_string_equal(ip, "192.0.2.2");
	json_decref(o);
	buf_fini(&b);
}

static void
test_mandrill_form_encodes_every_byte_back(void **state)
{
	struct buf b = { 0 };
	char all[256];
	int n = 0;
	char *back;

	(void)state;
	for (int i = 0; i < 256; i++) {
		all[i] = (char)(i == ' ' ? 'x' : i);
	}
	mandrill_form(&b, (struct str){ all, 256 });
	assert_true(str_starts(buf_str(&b), "mandrill_events="));
	back = curl_easy_unescape(
	    NULL, (const char *)b.p + 16, (int)b.len - 16, &n);
	assert_int_equal(n, 256);
	assert_memory_equal(back, all, 256);
	curl_free(back);
	b.len = 0;
	mandrill_form(&b, STR("a b"));
	assert_true(str_is(buf_str(&b), "mandrill_events=a+b"));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(test_retry_schedule_reads_units_and_repeats_its_last_step),
		T(test_retry_schedule_refuses_what_is_no_list_of_times),
		T(test_retry_jitter_stays_within_its_percent),
		T(test_retry_after_takes_seconds_and_dates_and_nothing_else),
		T(test_sign_v1_agrees_with_another_implementation),
		T(test_sign_header_has_both_secrets_while_one_is_changed),
		T(test_sign_mandrill_agrees_with_another_implementation),
		T(test_addr_filter_refuses_what_is_not_public),
		T(test_addr_filter_allows_public_addresses),
		T(test_addr_filter_makes_exceptions_of_networks),
		T(test_addr_filter_refuses_lists_it_cannot_read),
		T(test_url_refuses_what_is_no_endpoint),
		T(test_url_knows_addresses_in_every_spelling),
		T(test_url_gives_host_port_and_normal_form),
		T(test_cursor_round_trip),
		T(test_cursor_has_its_dead_letters_behind_it),
		T(test_cursor_of_before_has_five_numbers),
		T(test_dead_failure_that_goes_on_is_one_range),
		T(test_dead_oldest_range_is_forgotten_unless_it_is_being_sent),
		T(test_cursor_every_truncation_and_flip_is_refused),
		T(test_ring_keeps_order_and_its_limit),
		T(test_ring_place_is_before_its_first),
		T(test_mandrill_event_has_its_names),
		T(test_mandrill_form_encodes_every_byte_back),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
