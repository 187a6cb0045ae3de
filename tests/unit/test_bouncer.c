/* The daemon between a qmgr, an accountd and a master of the test. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "account.h"
#include "bouncer.h"
#include "clock.h"
#include "conf.h"
#include "dsn.h"
#include "fake_loop.h"
#include "loop.h"
#include "plog.h"
#include "report.h"
#include "report_group.h"
#include "service.h"
#include "spool.h"

#define SEGMENT segment_id(7, 1, 0)
#define OWN_SEGMENT segment_id(SPOOL_WRITER_BOUNCER, 1, 0)
#define TOKEN "bounces+aaaabbbbccccddddeeeeffffgggghhhhiiiijjjjkkkkllllmmmm"

/* ---- the world ---------------------------------------------------------- */

struct seen {
	unsigned facts, dones, dsn_dones, durables, questions;
	uint16_t kind;
	uint16_t orig_rcpt;
	struct uuid orig_msgid;
	char rcpt_to[64];
	char asked[80];
	uint32_t dsn_status;
	uint64_t durable;
};

static struct {
	struct conf conf;
	struct peer *qmgr, *accountd, *master; /* ends of the daemon */
	struct peer *other_qmgr, *other_accountd, *other_master;
	struct plog_writer *writer; /* of an smtpd */
	int segment;
	int own; /* the daemon's segment */
	bool has_no_file;
	const char *forward_to; /* of every account */
	uint16_t token_code;
	struct seen seen;
	struct uuid msgid;
	uint64_t off; /* of the record stored last */
	unsigned n_stored;
} w;

const struct conf *
conf(void)
{
	return &w.conf;
}

struct peer *
service_peer(enum role role, uint32_t index)
{
	(void)index;
	return role == ROLE_QMGR    ? w.qmgr
	    : role == ROLE_ACCOUNTD ? w.accountd
				    : NULL;
}

struct peer *
service_master(void)
{
	return w.master;
}

void
service_exit(void)
{
}

/* ---- what the others do ------------------------------------------------- */

static void
on_fact(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_report_fact *m = msg;

	(void)p;
	(void)id;
	w.seen.facts++;
	w.seen.kind = m->kind;
	w.seen.orig_msgid = m->orig_msgid;
	w.seen.orig_rcpt = m->orig_rcpt;
	str_copy(w.seen.rcpt_to, sizeof(w.seen.rcpt_to), m->rcpt_to);
}

static void
on_done(struct peer *p, uint32_t id, const void *msg)
{
	(void)p;
	(void)id;
	(void)msg;
	w.seen.dones++;
}

static void
on_dsn_done(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_dsn_done *m = msg;

	(void)p;
	(void)id;
	w.seen.dsn_dones++;
	w.seen.dsn_status = m->status;
}

static void
on_durable(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_durable *m = msg;

	(void)p;
	(void)id;
	w.seen.durables += m->off != 0; /* with 0 a segment is named */
	w.seen.durable = m->off;
	assert_true(m->segid == OWN_SEGMENT);
}

static void
on_question(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_rcpt_req *m = msg;
	struct ipc_rcpt_rep rep = {
		.code = w.token_code, .kind = INBOUND_RETURN_PATH, .rcpt = 5
	};

	rep.msgid.b[0] = 0x42;
	w.seen.questions++;
	str_copy(w.seen.asked, sizeof(w.seen.asked), m->local);
	(void)peer_send(p, IPC_rcpt_rep, id, &rep);
}

static void
on_owner_req(struct peer *p, uint32_t id, const void *msg)
{
	struct ipc_owner_rep rep = { .account = 9, .subaccount = 11 };

	(void)msg;
	(void)peer_send(p, IPC_owner_rep, id, &rep);
}

static void
on_forward_req(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_forward_req *m = msg;
	struct ipc_forward_rep rep = { .address = str_of(w.forward_to),
		.name = STR("shop/news") };

	assert_int_equal(m->account, 9);
	assert_int_equal(m->subaccount, 11);
	(void)peer_send(p, IPC_forward_rep, id, &rep);
}

static void
on_file_req(struct peer *p, uint32_t id, const void *msg)
{
	struct ipc_file_rep rep = { .segid = OWN_SEGMENT };

	(void)msg;
	if (w.has_no_file) {
		rep.status = ENOSPC;
		(void)peer_send(p, IPC_file_rep, id, &rep);
		return;
	}
	(void)peer_send_fd(p, IPC_file_rep, id, &rep, w.own);
}

static const struct peer_handler qmgr_handlers[] = {
	{ IPC_report_fact, on_fact },
	{ IPC_report_done, on_done },
	{ IPC_dsn_done, on_dsn_done },
	{ IPC_owner_req, on_owner_req },
	{ IPC_durable, on_durable },
	{ 0, NULL },
};
static const struct peer_handler accountd_handlers[] = {
	{ IPC_rcpt_req, on_question },
	{ IPC_forward_req, on_forward_req },
	{ 0, NULL },
};
static const struct peer_handler master_handlers[] = {
	{ IPC_file_req, on_file_req },
	{ 0, NULL },
};

static void
on_down(struct peer *p, const char *error)
{
	(void)p;
	fail_msg("channel down: %s", error != NULL ? error : "closed");
}

static void
connect_peers(enum role role, const struct peer_handler *handlers,
    struct peer **ours, struct peer **other)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	*ours = peer_new(fds[0],
	    &(struct peer_config){ .self = ROLE_BOUNCER,
		.role = role,
		.handlers = worker_handlers,
		.down = on_down });
	*other = peer_new(fds[1],
	    &(struct peer_config){ .self = role,
		.role = ROLE_BOUNCER,
		.handlers = handlers,
		.down = on_down });
}

static int
temporary_file(void)
{
	char name[] = "/tmp/test_bouncer.XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	(void)unlink(name);
	return fd;
}

static void
on_need_file(void *arg)
{
	(void)arg;
}

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.conf.myhostname = "mail.example.net";
	w.conf.mx_forward_to = "boss@example.com";
	w.conf.mx_forward_size_limit = 1 << 20;
	w.conf.hopcount_limit = 50;
	w.conf.bounce_size_limit = 50000;
	w.conf.bouncer_service_timeout = 10 * US_PER_S;
	w.conf.queue_lifetime = 86400 * US_PER_S;
	w.conf.segment_size = 1 << 26;
	loop_init();
	worker_init();
	connect_peers(ROLE_QMGR, qmgr_handlers, &w.qmgr, &w.other_qmgr);
	connect_peers(
	    ROLE_ACCOUNTD, accountd_handlers, &w.accountd, &w.other_accountd);
	connect_peers(ROLE_MASTER, master_handlers, &w.master, &w.other_master);
	w.segment = temporary_file();
	w.own = temporary_file();
	w.writer = plog_writer_new(&(struct plog_config){ .kind = PLOG_MAIL,
	    .file_size = 1 << 26,
	    .batch_bytes = 1 << 20,
	    .batch_records = 16,
	    .need_file = on_need_file });
	plog_writer_add_file(w.writer, dup(w.segment), SEGMENT);
	writer_start();
	worker_peer_up(w.qmgr);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	plog_writer_free(&w.writer);
	worker_stop();
	peer_free(&w.qmgr);
	peer_free(&w.accountd);
	peer_free(&w.master);
	peer_free(&w.other_qmgr);
	peer_free(&w.other_accountd);
	peer_free(&w.other_master);
	(void)close(w.segment);
	(void)close(w.own);
	loop_fini();
	return 0;
}

/* The writers' helper threads take their time. */
static void
settle(const unsigned *count, unsigned target)
{
	fake_loop_settle();
	for (int i = 0; i < 1000 && *count < target; i++) {
		fake_loop_settle();
	}
	assert_int_equal(*count, target);
}

/* ---- jobs --------------------------------------------------------------- */

static void
on_stored(void *arg, int status, uint64_t segid, uint64_t off)
{
	(void)arg;
	(void)segid;
	assert_int_equal(status, 0);
	w.off = off;
	w.n_stored++;
}

/* The record stored last, with the place of its content. */
static void
find(struct plog_record *out)
{
	struct plog_reader reader;
	bool is_found = false;

	assert_int_equal(plog_reader_init(&reader, w.segment), 0);
	while (plog_reader_batch(&reader, UINT64_MAX) == 1) {
		while (plog_reader_record(&reader, out)) {
			is_found = out->off == w.off;
		}
	}
	assert_true(is_found);
	plog_reader_fini(&reader);
}

/* A message in the segment of an smtpd, as qmgr tells where it is. */
static struct message_place
store(struct event_accepted *e, const char *content)
{
	struct iovec iov = { (void *)(uintptr_t)content, strlen(content) };
	struct buf record = { 0 };
	struct plog_record r;

	e->msgid = uuid_random();
	e->size = (uint32_t)strlen(content);
	assert_int_equal(event_encode(&record, EVENT_accepted, e), 0);
	assert_int_equal(plog_append(w.writer, EVENT_accepted, record.p,
			     record.len, &iov, 1, on_stored, NULL),
	    0);
	buf_fini(&record);
	settle(&w.n_stored, w.n_stored + 1);
	find(&r);
	return (struct message_place){ e->msgid, SEGMENT, w.off, r.content_off,
		r.content_len, r.content_crc };
}

static void
give_file(void)
{
	struct ipc_file m = { .segid = SEGMENT };

	(void)peer_send_fd(w.other_qmgr, IPC_file, 0, &m, w.segment);
}

static void
give_report(struct event_accepted *e, const char *content)
{
	struct message_place p = store(e, content);
	struct ipc_report_job m = { 1, p.msgid, p.segid, p.rec_off, 0,
		p.content_off, p.content_len, p.content_crc };

	give_file();
	(void)peer_send(w.other_qmgr, IPC_report_job, 0, &m);
	settle(&w.seen.dones, w.seen.dones + 1);
}

static void
give_dsn_job(struct event_accepted *e, const char *content)
{
	struct message_place p = store(e, content);
	struct buf items = { 0 };
	struct dsn_item item = { .address = STR("ann@example.org"),
		.status = STR("5.1.1"),
		.reply = STR("550 5.1.1 no such user") };
	struct ipc_dsn_job m = { 1, p.msgid, p.segid, p.rec_off, 0,
		p.content_off, p.content_len, p.content_crc };

	dsn_item_add(&items, &item);
	m.failures = buf_str(&items);
	give_file();
	(void)peer_send(w.other_qmgr, IPC_dsn_job, 0, &m);
	buf_fini(&items);
	settle(&w.seen.dsn_dones, w.seen.dsn_dones + (w.has_no_file ? 0 : 1));
}

/* The only message of the daemon's own segment. */
static void
read_own(struct buf *record, struct event_accepted *e, struct buf *content)
{
	struct plog_reader reader;
	struct plog_record r;

	assert_int_equal(plog_reader_init(&reader, w.own), 0);
	assert_int_equal(plog_reader_batch(&reader, UINT64_MAX), 1);
	assert_true(plog_reader_record(&reader, &r));
	assert_int_equal(r.type, EVENT_accepted);
	buf_add(record, r.rec.p, r.rec.len);
	assert_int_equal(
	    event_decode(EVENT_accepted, record->p, record->len, e), 0);
	assert_int_equal(plog_read_content(w.own, OWN_SEGMENT, r.content_off,
			     buf_reserve(content, r.content_len + 1),
			     r.content_len, r.content_crc),
	    0);
	content->len = r.content_len;
	buf_u8(content, 0);
	assert_false(plog_reader_record(&reader, &r));
	plog_reader_fini(&reader);
}

#define HARD                                                                   \
	"From: MAILER-DAEMON@mx.example.net\r\nSubject: failure notice\r\n"    \
	"\r\n<ann@example.org>:\r\n550 5.1.1 User unknown\r\n"
#define DELAYED                                                                \
	"From: MAILER-DAEMON@mx.example.net\r\n"                               \
	"Subject: Warning: message delayed\r\n\r\n<ann@example.org>:\r\n"      \
	"451 try later. It will be retried.\r\n"
#define COMPLAINT                                                               \
	"From: fbl@example.com\r\nMIME-Version: 1.0\r\n"                        \
	"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"             \
	"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n" \
	"Original-Mail-From: <" TOKEN "@example.net>\r\n\r\n--b--\r\n"

/* ---- tests -------------------------------------------------------------- */

static void
test_bouncer_hard_bounce_is_told_once(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_RETURN_PATH,
		.orig_rcpt = 3 };

	(void)state;
	e.orig_msgid.b[0] = 0x17;
	give_report(&e, HARD);
	assert_int_equal(w.seen.facts, 1);
	assert_int_equal(w.seen.dones, 1);
	assert_int_equal(w.seen.kind, EVENT_bounce);
	assert_int_equal(w.seen.orig_rcpt, 3);
	assert_int_equal(w.seen.orig_msgid.b[0], 0x17);
	assert_string_equal(w.seen.rcpt_to, "ann@example.org");
	assert_int_equal(w.seen.questions, 0);
}

static void
test_bouncer_delay_is_only_done(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_RETURN_PATH };

	(void)state;
	give_report(&e, DELAYED);
	assert_int_equal(w.seen.facts, 0);
	assert_int_equal(w.seen.dones, 1);
}

static void
test_bouncer_stuffed_dots_are_taken_away(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_RETURN_PATH };

	(void)state;
	give_report(&e,
	    "From: MAILER-DAEMON@mx.example.net\r\n"
	    "Subject: failure notice\r\n\r\n..ann@example.org:\r\n"
	    "<ann@example.org>: no such user\r\n");
	assert_string_equal(w.seen.rcpt_to, "ann@example.org");
}

static void
test_bouncer_complaint_counts_with_a_valid_token_only(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_FEEDBACK };

	(void)state;
	give_report(&e, COMPLAINT);
	assert_int_equal(w.seen.questions, 1);
	assert_string_equal(w.seen.asked, TOKEN);
	assert_int_equal(w.seen.facts, 1);
	assert_int_equal(w.seen.kind, EVENT_complaint);
	assert_int_equal(w.seen.orig_rcpt, 5);
	assert_int_equal(w.seen.orig_msgid.b[0], 0x42);
	assert_int_equal(w.seen.dones, 1);

	w.token_code = 550;
	give_report(&e, COMPLAINT);
	assert_int_equal(w.seen.questions, 2);
	assert_int_equal(w.seen.facts, 1);
	assert_int_equal(w.seen.dones, 2);
}

static void
test_bouncer_forged_bounce_at_an_address_changes_nothing(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_FEEDBACK };

	(void)state;
	give_report(&e, HARD);
	assert_int_equal(w.seen.facts, 0);
	assert_int_equal(w.seen.dones, 1);
}

static void
test_bouncer_role_mail_is_forwarded_as_it_came(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_ROLE,
		.sender = STR("someone@example.org") };
	struct buf record = { 0 }, content = { 0 };
	const char mail[] = "Subject: abuse\r\n\r\n..dot\r\nbye\r\n";
	struct event_rcpt rcpt;
	struct str rcpts;

	(void)state;
	give_report(&e, mail);
	assert_int_equal(w.seen.dones, 1);
	assert_int_equal(w.seen.facts, 0);
	assert_int_equal(w.seen.durables, 1);
	read_own(&record, &e, &content);
	assert_int_equal(e.sender.len, 0);
	assert_true((e.flags & MESSAGE_OWN_DSN) != 0);
	assert_true((e.flags & MESSAGE_NODOTS) == 0);
	rcpts = e.rcpts;
	assert_true(event_rcpt_next(&rcpts, &rcpt));
	assert_true(str_is(rcpt.address, "boss@example.com"));
	assert_int_equal(rcpt.notify, RCPT_NOTIFY_NEVER);
	assert_non_null(strstr(
	    (char *)content.p, "X-Packetboat-Forwarded: mail.example.net\r\n"));
	assert_string_equal(
	    (char *)content.p + content.len - sizeof(mail), mail);
	buf_fini(&record);
	buf_fini(&content);
}

static void
test_bouncer_forwards_nothing_twice(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_ROLE };

	(void)state;
	give_report(&e,
	    "x-packetboat-forwarded: elsewhere.example\r\n"
	    "Subject: round\r\n\r\nbye\r\n");
	assert_int_equal(w.seen.dones, 1);
	assert_int_equal(w.seen.durables, 0);
}

static void
test_bouncer_bounce_is_forwarded_where_its_account_wants_it(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_RETURN_PATH };
	struct buf record = { 0 }, content = { 0 };
	struct event_rcpt rcpt;
	struct str rcpts;

	(void)state;
	w.forward_to = "bounces@shop.example";
	give_report(&e, HARD);
	assert_int_equal(w.seen.facts, 1);
	assert_int_equal(w.seen.dones, 1);
	assert_int_equal(w.seen.durables, 1);
	read_own(&record, &e, &content);
	assert_int_equal(e.sender.len, 0);
	assert_int_equal(e.account, 9);
	assert_int_equal(e.subaccount, 11);
	assert_true(str_is(e.account_name, "shop/news"));
	rcpts = e.rcpts;
	assert_true(event_rcpt_next(&rcpts, &rcpt));
	assert_true(str_is(rcpt.address, "bounces@shop.example"));
	assert_string_equal(
	    (char *)content.p + content.len - sizeof(HARD), HARD);
	buf_fini(&record);
	buf_fini(&content);
}

static void
test_bouncer_bounce_that_was_forwarded_stays(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_RETURN_PATH };

	(void)state;
	w.forward_to = "bounces@shop.example";
	give_report(&e, "X-Packetboat-Forwarded: here\r\n" HARD);
	assert_int_equal(w.seen.facts, 1);
	assert_int_equal(w.seen.dones, 1);
	assert_int_equal(w.seen.durables, 0);
}

static void
test_bouncer_many_hops_are_a_loop(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 50; i++) {
		buf_puts(&b, "Received: by x\r\n");
	}
	assert_false(forward_is_loop(buf_str(&b), 50));
	buf_puts(&b, "Received: by x\r\n");
	assert_true(forward_is_loop(buf_str(&b), 50));
	buf_fini(&b);
}

static void
test_bouncer_without_forward_address_drops(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_ROLE };

	(void)state;
	w.conf.mx_forward_to = "";
	give_report(&e, "Subject: x\r\n\r\ny\r\n");
	assert_int_equal(w.seen.dones, 1);
	assert_int_equal(w.seen.durables, 0);
}

static void
test_bouncer_notification_is_durable_before_it_is_done(void **state)
{
	struct event_accepted e = { .sender = STR("news@shop.example"),
		.account = 9,
		.account_name = STR("shop"),
		.flags = MESSAGE_PLAIN_SENDER };
	struct buf record = { 0 }, content = { 0 };

	(void)state;
	give_dsn_job(&e, "Subject: order\r\n\r\n..dot\r\n");
	assert_int_equal(w.seen.dsn_dones, 1);
	assert_int_equal(w.seen.dsn_status, 0);
	assert_int_equal(w.seen.durables, 1);
	read_own(&record, &e, &content);
	assert_int_equal(e.sender.len, 0);
	assert_int_equal(e.account, 9);
	assert_true(str_is(e.account_name, "shop"));
	assert_true((e.flags & MESSAGE_OWN_DSN) != 0);
	assert_true(e.expires_us == e.time_us + w.conf.queue_lifetime);
	assert_non_null(strstr((char *)content.p, "\r\nTo: news@shop.example"));
	assert_non_null(strstr((char *)content.p, "\r\n..dot\r\n"));
	buf_fini(&record);
	buf_fini(&content);
}

static void
test_bouncer_never_notifies_about_a_notification(void **state)
{
	struct event_accepted no_sender = { .flags = MESSAGE_PLAIN_SENDER };
	struct event_accepted own = { .sender = STR("a@b.example"),
		.flags = MESSAGE_OWN_DSN };

	(void)state;
	give_dsn_job(&no_sender, "Subject: x\r\n\r\n");
	give_dsn_job(&own, "Subject: x\r\n\r\n");
	assert_int_equal(w.seen.dsn_dones, 2);
	assert_int_equal(w.seen.dsn_status, 0);
	assert_int_equal(w.seen.durables, 0);
}

static void
test_bouncer_waits_for_a_segment(void **state)
{
	struct event_accepted e = { .sender = STR("news@shop.example") };

	(void)state;
	w.has_no_file = true;
	give_dsn_job(&e, "Subject: x\r\n\r\n");
	assert_int_equal(w.seen.dsn_dones, 0);
	w.has_no_file = false;
	fake_loop_pass(2 * US_PER_S);
	settle(&w.seen.dsn_dones, 1);
	assert_int_equal(w.seen.dsn_status, 0);
}

static void
test_bouncer_damaged_report_is_done_without_a_fact(void **state)
{
	struct event_accepted e = { .inbound = INBOUND_RETURN_PATH };
	struct message_place p = store(&e, HARD);
	struct ipc_report_job m = { 1, p.msgid, p.segid, p.rec_off, 0,
		p.content_off, p.content_len, p.content_crc ^ 1 };

	(void)state;
	give_file();
	(void)peer_send(w.other_qmgr, IPC_report_job, 0, &m);
	fake_loop_settle();
	assert_int_equal(w.seen.facts, 0);
	assert_int_equal(w.seen.dones, 1);
}

static void
test_bouncer_new_qmgr_hears_nothing_of_old_jobs(void **state)
{
	struct event_accepted e = { .sender = STR("news@shop.example") };

	(void)state;
	w.has_no_file = true;
	give_dsn_job(&e, "Subject: x\r\n\r\n");
	worker_peer_up(w.qmgr);
	w.has_no_file = false;
	fake_loop_pass(2 * US_PER_S);
	settle(&w.seen.durables, 1);
	assert_int_equal(w.seen.dsn_dones, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bouncer_hard_bounce_is_told_once),
		TEST(test_bouncer_delay_is_only_done),
		TEST(test_bouncer_stuffed_dots_are_taken_away),
		TEST(test_bouncer_complaint_counts_with_a_valid_token_only),
		TEST(test_bouncer_forged_bounce_at_an_address_changes_nothing),
		TEST(test_bouncer_role_mail_is_forwarded_as_it_came),
		TEST(test_bouncer_forwards_nothing_twice),
		TEST(
		    test_bouncer_bounce_is_forwarded_where_its_account_wants_it),
		TEST(test_bouncer_bounce_that_was_forwarded_stays),
		TEST(test_bouncer_many_hops_are_a_loop),
		TEST(test_bouncer_without_forward_address_drops),
		TEST(test_bouncer_notification_is_durable_before_it_is_done),
		TEST(test_bouncer_never_notifies_about_a_notification),
		TEST(test_bouncer_waits_for_a_segment),
		TEST(test_bouncer_damaged_report_is_done_without_a_fact),
		TEST(test_bouncer_new_qmgr_hears_nothing_of_old_jobs),
	};

	return cmocka_run_group_tests(
	    tests, report_group_begin, report_group_end);
}
