/*
 * A whole session, in pieces of any size. What is accepted has no line end
 * but CRLF, no NUL and no line that is a single dot; and how the bytes are
 * cut changes neither the replies nor what is stored.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_loop.h"
#include "fuzz.h"
#include "log.h"
#include "smtpd_world.h"
#include "worker.h"

/* Ids differ from run to run; their digits are made equal. */
static void
mask(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++) {
		if (strchr("0123456789abcdef-", b->p[i]) != NULL) {
			b->p[i] = '0';
		}
	}
}

static void
check_content(const struct buf *c)
{
	bool at_start = true;

	assert(c->len >= 2 && memcmp(c->p + c->len - 2, "\r\n", 2) == 0);
	for (size_t i = 0; i < c->len; i++) {
		bool has_lf = i + 1 < c->len && c->p[i + 1] == '\n';

		assert(c->p[i] != 0);
		assert((c->p[i] == '\r') == has_lf);
		assert(!at_start || c->p[i] != '.' || c->p[i + 1] != '\r');
		at_start = c->p[i] == '\n';
	}
}

/* No thread is at work, so nothing needs to be waited for. */
static void
settle(void)
{
	while (fake_loop_turn()) {
		continue;
	}
}

static void
receive(int fd, struct buf *out)
{
	char data[4096];
	ssize_t n;

	settle();
	while ((n = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0) {
		buf_add(out, data, (size_t)n);
	}
}

/* The replies, then the contents. */
static void
run(const uint8_t *p, size_t size, bool is_cut, struct buf *out)
{
	int pair[2];

	world_forget();
	world.kind = 1;
	world.sign_domain = (p[0] & 2) != 0 ? "example.org" : NULL;
	assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	worker_serve(pair[1], (p[0] & 1) != 0 ? PORT_MX : PORT_SUBMISSION,
	    "192.0.2.1", 4321);
	receive(pair[0], out);
	for (size_t at = 1; at < size;) {
		size_t n = is_cut ? (size_t)1 + p[at] % 61 : size - at;

		n = n < size - at ? n : size - at;
		if (send(pair[0], p + at, n, MSG_NOSIGNAL) != (ssize_t)n) {
			break;
		}
		receive(pair[0], out);
		at += n;
	}
	close(pair[0]);
	settle();
	for (size_t i = 0; i < world.n_messages; i++) {
		check_content(&world.messages[i].content);
		buf_add(out, world.messages[i].content.p,
		    world.messages[i].content.len);
	}
	mask(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_started;
	struct buf whole = { 0 };
	struct buf cut = { 0 };

	if (size == 0 || size > 32 * 1024) {
		return 0;
	}
	if (!is_started) {
		is_started = true;
		log_set_level(LOG_LEVEL_ERROR);
		world_start("myhostname = mx.test\n"
			    "mynetworks = 192.0.2.0/24\n"
			    "mynetworks_account = relay\n"
			    "smtpd_line_length_limit = 1000\n"
			    "header_size_limit = 4096\n");
	}
	run(data, size, false, &whole);
	run(data, size, true, &cut);
	assert(whole.len == cut.len);
	assert(memcmp(whole.p, cut.p, whole.len) == 0);
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
