#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "fake_loop.h"
#include "loop.h"
#include "peer.h"

/* Both ends of a channel, and what arrived at them. */
struct fixture {
	struct peer *smtpd, *accountd;
	int raw; /* instead of smtpd: a peer that does as it likes */
	unsigned requests, replies, failures, downs;
	int fd;
	uint32_t verdict;
	char error[64];
};

static struct fixture *fix;

static void
on_auth(struct peer *p, uint32_t id, const void *msg)
{
	const struct ipc_auth_req *m = msg;
	struct ipc_auth_rep rep = { .verdict = 3 };

	fix->requests++;
	fix->fd = peer_take_fd(p);
	if (str_is(m->login, "silent")) {
		return;
	}
	(void)peer_send(p, IPC_auth_rep, id, &rep);
}

static const struct peer_handler handlers[] = {
	{ IPC_auth_req, on_auth },
	{ 0, NULL },
};

static void
on_down(struct peer *p, const char *error)
{
	fix->downs++;
	str_copy(fix->error, sizeof(fix->error), str_of(error));
	if (p == fix->smtpd) {
		fix->smtpd = NULL;
	} else {
		fix->accountd = NULL;
	}
}

static int
setup(void **state)
{
	int fd[2];

	fix = calloc(1, sizeof(*fix));
	fix->fd = fix->raw = -1;
	loop_init();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	fix->smtpd = peer_new(fd[0],
	    &(struct peer_config){
		.self = ROLE_SMTPD, .role = ROLE_ACCOUNTD, .down = on_down });
	fix->accountd = peer_new(fd[1],
	    &(struct peer_config){ .self = ROLE_ACCOUNTD,
		.role = ROLE_SMTPD,
		.handlers = handlers,
		.down = on_down });
	*state = fix;
	return 0;
}

/* Accountd alone, with a raw descriptor at the other end. */
static int
setup_raw(void **state)
{
	int fd[2];

	setup(state);
	peer_free(&fix->smtpd);
	peer_free(&fix->accountd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	fix->raw = fd[0];
	fix->accountd = peer_new(fd[1],
	    &(struct peer_config){ .self = ROLE_ACCOUNTD,
		.role = ROLE_SMTPD,
		.handlers = handlers,
		.down = on_down });
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	peer_free(&fix->smtpd);
	peer_free(&fix->accountd);
	if (fix->raw >= 0) {
		(void)close(fix->raw);
	}
	if (fix->fd >= 0) {
		(void)close(fix->fd);
	}
	free(fix);
	return 0;
}

static void
on_reply(void *arg, enum ipc_type type, const void *m)
{
	(void)arg;
	if (m == NULL) {
		fix->failures++;
	} else {
		assert_int_equal(type, IPC_auth_rep);
		fix->replies++;
		fix->verdict = ((const struct ipc_auth_rep *)m)->verdict;
	}
}

static void
ask(const char *login, int fd)
{
	struct ipc_auth_req m = { .login = str_of(login) };

	assert_int_equal(peer_call(fix->smtpd, IPC_auth_req, &m, fd,
			     5 * US_PER_S, on_reply, NULL, NULL),
	    0);
}

static void
test_peer_a_request_gets_its_reply(void **state)
{
	(void)state;
	ask("alice", -1);
	fake_loop_settle();
	assert_int_equal(fix->replies, 1);
	assert_int_equal(fix->verdict, 3);
}

static void
test_peer_a_request_without_reply_fails_at_its_deadline(void **state)
{
	(void)state;
	ask("silent", -1);
	fake_loop_pass(4 * US_PER_S);
	assert_int_equal(fix->failures, 0);
	fake_loop_pass(2 * US_PER_S);
	assert_int_equal(fix->failures, 1);
	assert_int_equal(fix->replies, 0);
}

static void
test_peer_requests_fail_when_the_other_end_goes(void **state)
{
	(void)state;
	ask("silent", -1);
	fake_loop_settle();
	peer_free(&fix->accountd);
	fake_loop_settle();
	assert_int_equal(fix->failures, 1);
	assert_int_equal(fix->downs, 1);
}

static void
test_peer_many_messages_all_arrive(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		ask("alice", -1);
	}
	fake_loop_settle();
	assert_int_equal(fix->requests, 20000);
	assert_int_equal(fix->replies, 20000);
}

static void
test_peer_a_descriptor_arrives_with_its_message(void **state)
{
	int fd[2];
	char c = 0;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	ask("first", -1);
	ask("alice", fd[0]);
	fake_loop_settle();
	(void)close(fd[0]);
	assert_true(fix->fd >= 0);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(read(fix->fd, &c, 1), 1);
	assert_int_equal(c, 'x');
	(void)close(fd[1]);
}

static void
test_peer_a_malformed_message_disconnects_its_sender(void **state)
{
	(void)state;
	assert_int_equal(send(fix->raw, "nonsense and more", 17, 0), 17);
	fake_loop_settle();
	assert_int_equal(fix->downs, 1);
	assert_string_equal(fix->error, "sent a malformed message");
}

static void
test_peer_a_message_of_another_role_disconnects_its_sender(void **state)
{
	struct ipc_durable m = { .segid = 1 };
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(ipc_encode(&b, IPC_durable, 0, &m), 0);
	assert_int_equal(send(fix->raw, b.p, b.len, 0), (ssize_t)b.len);
	fake_loop_settle();
	assert_string_equal(fix->error, "sent a message it may not send");
	buf_fini(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define RAW(name) cmocka_unit_test_setup_teardown(name, setup_raw, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_peer_a_request_gets_its_reply),
		TEST(test_peer_a_request_without_reply_fails_at_its_deadline),
		TEST(test_peer_requests_fail_when_the_other_end_goes),
		TEST(test_peer_many_messages_all_arrive),
		TEST(test_peer_a_descriptor_arrives_with_its_message),
		RAW(test_peer_a_malformed_message_disconnects_its_sender),
		RAW(test_peer_a_message_of_another_role_disconnects_its_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
