/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "journal_files.h"
#include "pblog_match.h"
#include "pblog_needle.h"
#include "pblog_read.h"
#include "pblog_show.h"
#include "pblog_skip.h"
#include "pblog_trace.h"
#include "pblog_unknown.h"
#include "time_parse.h"

#define T0 1700000000000000ULL
#define S 1000000ULL

/* A spool with three files: 10 messages a file, a second apart. */
struct fixture {
	char dir[64];
	int jrn;
	struct journal_file files[3];
	struct uuid ids[30];
};

static struct uuid
id_of(unsigned i)
{
	return uuid_make(
	    T0 + i * S, (struct uuid_place){ segment_id(1, 1, 1), i });
}

static void
add_message(struct fixture *f, struct journal_file *j, unsigned i)
{
	struct event_rcpt a = { STR("bob@sink.test"), STR(""), 0 };
	struct buf rcpts = { 0 };
	struct event_accepted acc = { .time_us = T0 + i * S,
		.msgid = f->ids[i],
		.account = 1 + i % 2,
		.key = 10 + i % 2,
		.account_name = i % 2 != 0 ? STR("shop/eu") : STR("news"),
		.sender = STR("orders@shop.test"),
		.subject = i == 7 ? STR("Seventh heaven") : STR("Order"),
		.tags = STR("order, fast"),
		.nrcpt = 1 };
	struct event_deferral later = { .time_us = T0 + i * S + S / 10,
		.msgid = f->ids[i],
		.account = acc.account,
		.attempt = 1,
		.rcpt_to = STR("bob@sink.test"),
		.smtp_code = 451,
		.smtp_text = STR("451 4.7.1 grey\xff"),
		.transcript = STR("S: 220 hi\nC: EHLO x"),
		.next_try_us = T0 + i * S + S / 2,
		.dest_host = STR("mx.sink.test"),
		.dest_ip = STR("192.0.2.9") };
	struct event_delivery done = { .time_us = T0 + i * S + S / 2,
		.msgid = f->ids[i],
		.account = acc.account,
		.attempt = 2,
		.rcpt_to = STR("bob@sink.test"),
		.smtp_code = 250,
		.smtp_text = STR("250 stored"),
		.source_ip = STR("192.0.2.1"),
		.dest_host = STR("mx.sink.test"),
		.dest_ip = STR("192.0.2.9") };

	event_rcpt_add(&rcpts, &a);
	acc.rcpts = buf_str(&rcpts);
	later.accept_lsn = journal_file_add(j, EVENT_accepted, &acc);
	done.accept_lsn = later.accept_lsn;
	(void)journal_file_commit(j, acc.time_us);
	(void)journal_file_add(j, EVENT_deferral, &later);
	(void)journal_file_add(j, EVENT_delivery, &done);
	(void)journal_file_commit(j, done.time_us);
	buf_fini(&rcpts);
}

static int
set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	char path[80];

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_pblog.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(path, sizeof(path), "%s/jrn", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	f->jrn = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(f->jrn >= 0);
	for (unsigned i = 0; i < 30; i++) {
		struct journal_file *j = &f->files[i / 10];

		if (i % 10 == 0) {
			journal_file_make(j, f->jrn, i / 10 + 1, T0 + i * S);
		}
		f->ids[i] = id_of(i);
		add_message(f, j, i);
	}
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	char name[JOURNAL_NAME_SIZE];
	char path[80];

	for (uint32_t i = 0; i < 3; i++) {
		journal_file_close(&f->files[i]);
	}
	for (uint32_t i = 1; i <= 4; i++) {
		journal_name(i, name);
		(void)unlinkat(f->jrn, name, 0);
		journal_index_name(i, name);
		(void)unlinkat(f->jrn, name, 0);
	}
	(void)close(f->jrn);
	(void)snprintf(path, sizeof(path), "%s/jrn", f->dir);
	(void)rmdir(path);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

/* ---- indexes ------------------------------------------------------------ */

static void
index_path(uint32_t number, char name[JOURNAL_NAME_SIZE])
{
	journal_index_name(number, name);
}

static void
make_index(struct fixture *f, uint32_t number)
{
	char name[JOURNAL_NAME_SIZE];
	struct buf text = { 0 };
	int fd;

	assert_int_equal(
	    journal_index_build(f->files[number - 1].fd, number, &text), 0);
	index_path(number, name);
	fd = openat(f->jrn, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.len), text.len);
	(void)close(fd);
	buf_fini(&text);
}

struct search {
	struct pblog_match *match;
	struct pblog_skip *skip;
	struct pblog_stats stats;
};

static bool
wants_stretch(void *arg, uint32_t number, const struct journal_stretch *s)
{
	struct search *search = arg;

	return pblog_skip_wants(search->skip, number, s);
}

static bool
wants_batch(void *arg, struct str records)
{
	struct search *search = arg;

	return pblog_match_batch(search->match, records);
}

/* As pblog(1) does it. */
static unsigned
find(struct fixture *f, const struct pblog_filter *filter,
    struct pblog_stats *stats)
{
	struct search s = { 0 };
	const struct pblog_wishes wishes = { wants_stretch, wants_batch, &s };
	struct pblog_read *r = NULL;
	struct pblog_record rec;
	struct event_view v;
	unsigned n = 0;

	assert_int_equal(pblog_open(f->dir, &r), 0);
	s.match = pblog_match_new(filter, r);
	s.skip = pblog_skip_new(pblog_match_filter(s.match), r);
	pblog_wish(r, &wishes);
	while (pblog_next(r, &rec) == 1) {
		n += pblog_match(s.match, &rec, &v);
	}
	*stats = *pblog_stats(r);
	pblog_skip_free(&s.skip);
	pblog_match_free(&s.match);
	pblog_close(&r);
	return n;
}

static unsigned
count(struct fixture *f, const struct pblog_filter *filter)
{
	struct pblog_read *r = NULL;
	struct pblog_match *m;
	struct pblog_record rec;
	struct event_view v;
	unsigned n = 0;

	assert_int_equal(pblog_open(f->dir, &r), 0);
	m = pblog_match_new(filter, r);
	pblog_seek_time(r, filter->since_us);
	while (pblog_next(r, &rec) == 1) {
		n += pblog_match(m, &rec, &v);
	}
	pblog_match_free(&m);
	pblog_close(&r);
	return n;
}

static void
test_pblog_finds_all_events_in_all_files(void **state)
{
	struct pblog_filter none = { .key = 0 };

	assert_int_equal(count(*state, &none), 90);
}

static void
test_pblog_conditions_on_the_message_find_its_later_events(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    count(f, &(struct pblog_filter){ .subject = "seventh" }), 3);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .account = "shop" }), 45);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .account = "shop/eu" }), 45);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .account = "shop/us" }), 0);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .account = "news" }), 45);
	assert_int_equal(count(f, &(struct pblog_filter){ .key = 11 }), 45);
	assert_int_equal(count(f, &(struct pblog_filter){ .tag = "fast" }), 90);
	assert_int_equal(count(f, &(struct pblog_filter){ .tag = "fas" }), 0);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .from = "ORDERS@shop.test" }), 90);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .from = "rders@shop.test" }), 0);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .from = "@shop" }), 90);
}

static void
test_pblog_conditions_on_the_attempt(void **state)
{
	struct fixture *f = *state;
	struct pblog_filter kind = { .key = 0 };

	assert_int_equal(
	    count(f, &(struct pblog_filter){ .reply = "GREY" }), 30);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .dest_ip = "192.0.2.9" }), 60);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .source_ip = "192.0.2.1" }), 30);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .to = "Bob@sink.test" }), 90);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .domain = "SINK.test" }), 90);
	assert_int_equal(
	    count(f, &(struct pblog_filter){ .domain = "ink.test" }), 0);
	assert_true(pblog_filter_kind(&kind, STR("delivery")));
	assert_int_equal(count(f, &kind), 30);
	assert_true(pblog_filter_kind(&kind, STR("accepted")));
	assert_int_equal(count(f, &kind), 60);
	assert_false(pblog_filter_kind(&kind, STR("nonsense")));
}

static void
test_pblog_times_bound_the_search(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    count(f, &(struct pblog_filter){ .since_us = T0 + 25 * S }), 15);
	assert_int_equal(count(f,
			     &(struct pblog_filter){ .since_us = T0 + 10 * S,
				 .until_us = T0 + 11 * S }),
	    4);
}

static void
test_pblog_an_empty_file_at_the_end_hides_nothing(void **state)
{
	struct fixture *f = *state;
	struct pblog_filter late = { .since_us = T0 + 29 * S };
	struct journal_file next;

	journal_file_make(&next, f->jrn, 4, T0 + 40 * S);
	assert_int_equal(count(f, &late), 3);
	journal_file_close(&next);
}

static void
test_pblog_id_finds_the_events_of_one_message(void **state)
{
	struct fixture *f = *state;
	struct pblog_filter id = {
		.id = f->ids[13], .has_id = true, .since_us = T0 + 12 * S
	};

	assert_int_equal(count(f, &id), 3);
}

static void
test_pblog_goes_on_when_more_is_written(void **state)
{
	struct fixture *f = *state;
	struct pblog_read *r = NULL;
	struct pblog_record rec;
	struct journal_file next;
	unsigned n = 0;

	assert_int_equal(pblog_open(f->dir, &r), 0);
	while (pblog_next(r, &rec) == 1) {
		n++;
	}
	assert_int_equal(n, 90);
	add_message(f, &f->files[2], 29);
	while (pblog_next(r, &rec) == 1) {
		n++;
	}
	assert_int_equal(n, 93);
	add_message(f, &f->files[2], 29);
	journal_file_make(&next, f->jrn, 4, T0 + 40 * S);
	add_message(f, &next, 29);
	while (pblog_next(r, &rec) == 1) {
		n++;
	}
	assert_int_equal(n, 99);
	journal_file_close(&next);
	pblog_close(&r);
}

static void
test_pblog_a_torn_tail_is_the_end(void **state)
{
	struct fixture *f = *state;
	struct pblog_filter none = { .key = 0 };
	struct journal_file *last = &f->files[2];

	assert_int_equal(ftruncate(last->fd, (off_t)last->off - 70), 0);
	assert_int_equal(count(f, &none), 88);
}

static void
test_pblog_damage_inside_is_skipped_and_counted(void **state)
{
	struct fixture *f = *state;
	struct pblog_read *r = NULL;
	struct pblog_record rec;
	unsigned n = 0;

	assert_int_equal(
	    pwrite(f->files[0].fd, "damage", 6, PLOG_FILE_HEADER + 100), 6);
	assert_int_equal(pblog_open(f->dir, &r), 0);
	while (pblog_next(r, &rec) == 1) {
		n++;
	}
	assert_int_equal(n, 89);
	assert_true(pblog_damaged(r) > 0);
	pblog_close(&r);
}

static void
test_pblog_trace_tells_steps_and_the_end(void **state)
{
	struct fixture *f = *state;
	struct pblog_filter id = { .id = f->ids[3], .has_id = true };
	struct pblog_trace *trace = pblog_trace_new();
	struct pblog_read *r = NULL;
	struct pblog_match *m;
	struct pblog_record rec;
	struct event_view v;
	struct buf out = { 0 };
	const char *text, *accepted, *deferral, *delivery;

	assert_int_equal(pblog_open(f->dir, &r), 0);
	m = pblog_match_new(&id, r);
	while (pblog_next(r, &rec) == 1) {
		if (pblog_match(m, &rec, &v)) {
			pblog_trace_add(trace, &out, &v);
		}
	}
	pblog_trace_end(trace, &out);
	buf_u8(&out, 0);
	text = (const char *)out.p;
	accepted = strstr(text, "+0.000 accepted: from=<orders@shop.test>");
	deferral = strstr(text, "+0.100 deferral: ");
	delivery = strstr(text, "+0.500 delivery: ");
	assert_true(accepted != NULL && accepted < deferral);
	assert_true(deferral != NULL && deferral < delivery);
	assert_non_null(strstr(text, "        | C: EHLO x\n"));
	assert_non_null(strstr(text, "(451 4.7.1 grey?)"));
	assert_non_null(strstr(text, "relay=mx.sink.test[192.0.2.9]"));
	assert_non_null(
	    strstr(text, "bob@sink.test: delivery, 2 attempts, final since "));
	pblog_match_free(&m);
	pblog_close(&r);
	pblog_trace_free(&trace);
	buf_fini(&out);
}

/* One event of the last file about a message of the first. */
static void
add_late(struct fixture *f, uint64_t accept_lsn, const char *to)
{
	struct journal_file *j = &f->files[2];
	struct event_bounce late = { .time_us = T0 + 40 * S,
		.msgid = f->ids[0],
		.accept_lsn = accept_lsn,
		.rcpt_to = str_of(to),
		.smtp_text = STR("550 5.1.1 no such user") };
	struct event_held held = { .time_us = T0 + 41 * S,
		.msgid = f->ids[0],
		.accept_lsn = accept_lsn };

	(void)journal_file_add(j, EVENT_bounce, &late);
	(void)journal_file_commit(j, late.time_us);
	(void)journal_file_add(j, EVENT_held, &held);
	(void)journal_file_commit(j, held.time_us);
}

/* Adds an accepted event to the first file. */
static uint64_t
add_rare(struct fixture *f, const char *to)
{
	struct event_rcpt rcpt = { str_of(to), STR(""), 0 };
	struct buf rcpts = { 0 };
	struct event_accepted acc = { .time_us = T0 + 10 * S,
		.msgid = f->ids[0],
		.account_name = STR("rare/one"),
		.sender = STR("Rare@Shop.test"),
		.nrcpt = 1 };
	uint64_t lsn;

	event_rcpt_add(&rcpts, &rcpt);
	acc.rcpts = buf_str(&rcpts);
	lsn = journal_file_add(&f->files[0], EVENT_accepted, &acc);
	(void)journal_file_commit(&f->files[0], acc.time_us);
	buf_fini(&rcpts);
	return lsn;
}

static void
test_pblog_opens_only_files_that_may_have_what_is_wanted(void **state)
{
	struct fixture *f = *state;
	struct pblog_filter id = { .id = f->ids[13], .has_id = true };
	struct pblog_filter kind = { .key = 0 };
	struct pblog_stats s;

	for (uint32_t i = 1; i <= 3; i++) {
		make_index(f, i);
	}
	assert_int_equal(find(f, &id, &s), 3);
	assert_int_equal(s.files, 3);
	assert_int_equal(s.indexed, 3);
	assert_int_equal(s.opened, 1);
	assert_int_equal(
	    find(f, &(struct pblog_filter){ .to = "x@sink.test" }, &s), 0);
	assert_int_equal(s.opened, 0);
	assert_int_equal(s.bytes, 0);
	assert_int_equal(
	    find(f, &(struct pblog_filter){ .to = "BOB@sink.test" }, &s), 90);
	assert_int_equal(s.opened, 3);
	assert_int_equal(find(f,
			     &(struct pblog_filter){ .since_us = T0 + 10 * S,
				 .until_us = T0 + 11 * S },
			     &s),
	    4);
	assert_int_equal(s.opened, 1);
	assert_true(pblog_filter_kind(&kind, STR("complaint")));
	assert_int_equal(find(f, &kind, &s), 0);
	assert_int_equal(s.opened, 0);
}

static void
test_pblog_finds_joined_events_in_other_files_by_indexes(void **state)
{
	static const struct pblog_filter filters[] = {
		{ .to = "rare@sink.example" },
		{ .domain = "SINK.example" },
		{ .from = "rare@shop.TEST" },
		{ .account = "rare" },
		{ .account = "rare/one" },
	};
	struct fixture *f = *state;
	struct pblog_stats s;

	add_late(f, add_rare(f, "Rare@Sink.example"), "");
	for (uint32_t i = 1; i <= 3; i++) {
		make_index(f, i);
	}
	for (size_t i = 0; i < array_len(filters); i++) {
		assert_int_equal(find(f, &filters[i], &s), 3);
		assert_int_equal(s.indexed, 3);
		assert_int_equal(s.opened, 2);
	}
}

static void
test_pblog_gives_the_same_with_and_without_indexes(void **state)
{
	struct fixture *f = *state;
	const struct pblog_filter filters[] = { { .key = 0 },
		{ .to = "bob@sink.test" }, { .to = "rare@" },
		{ .to = "rare@sink.example" }, { .domain = "sink.test" },
		{ .from = "orders@shop.test" }, { .account = "news" },
		{ .account = "shop/eu", .to = "bob@sink.test" },
		{ .subject = "SEVENTH" }, { .reply = "no such user" },
		{ .reply = "grey" }, { .dest_ip = "192.0.2.9" },
		{ .has_id = true, .id = f->ids[0] }, { .tag = "fast" } };
	unsigned before[array_len(filters)];
	struct pblog_stats s;

	add_late(f, add_rare(f, "rare@sink.example"), "rare@sink.example");
	for (size_t i = 0; i < array_len(filters); i++) {
		before[i] = count(f, &filters[i]);
	}
	/* With some, and with all of them. */
	for (uint32_t n = 3; n >= 1; n--) {
		make_index(f, n);
		for (size_t i = 0; i < array_len(filters); i++) {
			assert_int_equal(find(f, &filters[i], &s), before[i]);
		}
	}
}

static void
test_pblog_reads_the_file_when_its_index_is_damaged(void **state)
{
	struct fixture *f = *state;
	struct pblog_filter to = { .to = "x@sink.test" };
	char name[JOURNAL_NAME_SIZE];
	struct pblog_stats s;
	autoclose int fd = -1;

	for (uint32_t i = 1; i <= 3; i++) {
		make_index(f, i);
	}
	index_path(2, name);
	fd = openat(f->jrn, name, O_RDWR);
	for (off_t at = 0; at < 128; at += 16) {
		char was, other;

		assert_int_equal(pread(fd, &was, 1, at), 1);
		other = (char)(was ^ 1);
		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		assert_int_equal(find(f, &to, &s), 0);
		assert_int_equal(s.indexed, 2);
		assert_int_equal(s.opened, 1);
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	assert_int_equal(ftruncate(fd, 64), 0);
	assert_int_equal(find(f, &to, &s), 0);
	assert_int_equal(s.opened, 1);
}

static void
test_pblog_a_damaged_journal_file_gets_no_index(void **state)
{
	struct fixture *f = *state;
	struct buf text = { 0 };

	assert_int_equal(
	    pwrite(f->files[0].fd, "damage", 6, PLOG_FILE_HEADER + 100), 6);
	assert_int_equal(
	    journal_index_build(f->files[0].fd, 1, &text), -EUCLEAN);
	assert_int_equal(
	    journal_index_build(f->files[1].fd, 1, &text), -EBADMSG);
	assert_int_equal(text.len, 0);
	buf_fini(&text);
}

static void
test_needle_is_found_wherever_it_stands(void **state)
{
	static const char *const texts[] = { "a", "Grey", "451 4.7.1", "x@Y.z",
		"\xc3\xa4h",
		"a long text with many of the same letters in it" };
	char hay[300];
	struct needle n;

	(void)state;
	for (size_t i = 0; i < array_len(texts); i++) {
		size_t len = strlen(texts[i]);

		needle_make(&n, texts[i]);
		for (size_t at = 0; at + len <= sizeof(hay); at++) {
			memset(hay, '-', sizeof(hay));
			assert_false(
			    needle_is_in(&n, (struct str){ hay, sizeof(hay) }));
			memcpy(hay + at, texts[i], len);
			hay[at] = hay[at] == 'a' ? 'A' : hay[at];
			assert_true(
			    needle_is_in(&n, (struct str){ hay, sizeof(hay) }));
			assert_true(
			    needle_is_in(&n, (struct str){ hay, at + len }));
			assert_false(needle_is_in(
			    &n, (struct str){ hay, at + len - 1 }));
		}
	}
	needle_make(&n, NULL);
	assert_true(needle_is_in(&n, STR("")));
}

static void
test_pblog_shape_keeps_what_replies_have_in_common(void **state)
{
	static const char *const pairs[][2] = {
		{ "550 5.9.9 <ann@example.org>: flurb at mx1.example.org, id "
		  "4F2a-9",
		    "<>: flurb at * id" },
		{ "550 Flurb [192.0.2.1]\n550 see https://x.example/?a=b now",
		    "flurb * see * now" },
		{ "550 12345", "" },
		{ "450 Zap. Come   back", "zap. come back" },
	};
	char shape[PBLOG_SHAPE_SIZE];

	(void)state;
	for (size_t i = 0; i < array_len(pairs); i++) {
		assert_string_equal(
		    pblog_shape(str_of(pairs[i][0]), shape), pairs[i][1]);
	}
}

static void
test_time_parse_takes_what_people_type(void **state)
{
	const uint64_t now = 1763805600 * S;
	static const struct {
		const char *text;
		uint64_t s;
	} good[] = { { "90s", 1763805600 - 90 }, { "2h", 1763805600 - 7200 },
		{ "1w", 1763805600 - 604800 }, { "@5", 5 },
		{ "2025-11-22", 1763769600 },
		{ "2025-11-22T10:00:00Z", 1763805600 },
		{ "2025-11-22T10:00:00", 1763805600 },
		{ "2025-11-22 10:00", 1763805600 }, { "999999999w", 0 } };
	static const char *const bad[] = { "", "2", "h", "2x", "-2h", "@x",
		"2025-11-22X", "yesterday", "2025-13-40" };
	uint64_t us = 0;

	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		assert_int_equal(time_parse(good[i].text, now, &us), 0);
		assert_int_equal(us, good[i].s * S);
	}
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(time_parse(bad[i], now, &us), -EINVAL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_pblog_finds_all_events_in_all_files),
		T(test_pblog_conditions_on_the_message_find_its_later_events),
		T(test_pblog_conditions_on_the_attempt),
		T(test_pblog_times_bound_the_search),
		T(test_pblog_an_empty_file_at_the_end_hides_nothing),
		T(test_pblog_id_finds_the_events_of_one_message),
		T(test_pblog_goes_on_when_more_is_written),
		T(test_pblog_a_torn_tail_is_the_end),
		T(test_pblog_damage_inside_is_skipped_and_counted),
		T(test_pblog_trace_tells_steps_and_the_end),
		T(test_pblog_opens_only_files_that_may_have_what_is_wanted),
		T(test_pblog_finds_joined_events_in_other_files_by_indexes),
		T(test_pblog_gives_the_same_with_and_without_indexes),
		T(test_pblog_reads_the_file_when_its_index_is_damaged),
		T(test_pblog_a_damaged_journal_file_gets_no_index),
		cmocka_unit_test(test_needle_is_found_wherever_it_stands),
#undef T
		cmocka_unit_test(
		    test_pblog_shape_keeps_what_replies_have_in_common),
		cmocka_unit_test(test_time_parse_takes_what_people_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
