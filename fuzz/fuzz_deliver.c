#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "deliver_world.h"
#include "fake_loop.h"
#include "fuzz.h"
#include "outcome.h"

#define CONTENT "Subject: x\r\n\r\ntext\r\n"

/* What the server has said since the client's final dot. */
static struct buf after_dot[WORLD_MAX];

static bool
has_dot(unsigned conn)
{
	struct str in = world_input(conn);

	return in.len > 0 &&
	    memmem(in.p, in.len, CONTENT ".\r\n", sizeof(CONTENT) + 2) != NULL;
}

/* A whole line of a 2xx reply. */
static bool
has_success(const struct buf *b)
{
	struct str rest = buf_str(b);
	struct str line;

	while (str_split(&rest, '\n', &line)) {
		if (line.len >= 4 && line.p[0] == '2' &&
		    line.p[line.len - 1] == '\r') {
			return true;
		}
	}
	return false;
}

static void
serve(const uint8_t *data, size_t size)
{
	unsigned conn;

	world_settle();
	if (world.n_conns == 0) {
		return;
	}
	conn = world.n_conns - 1;
	if (has_dot(conn)) {
		buf_add(&after_dot[conn], data, size);
	}
	world_send(conn, data, size);
	world_settle();
}

/* Jobs, one after the other over as few connections as possible. */
static void
begin(void)
{
	static const char *const rcpts[] = { "a@x.example", "b@x.example",
		NULL };

	world_host("mx1.example", 10, "192.0.2.1");
	world_host("mx2.example", 20, "192.0.2.2");
	for (uint64_t job = 1; job <= 2; job++) {
		world_job(&(struct world_mail){ .job = job,
		    .conn_limit = 1,
		    .rcpts = rcpts,
		    .content = STR(CONTENT) });
	}
}

/*
 * A server of any bytes, cut where a byte is 255: each recipient gets exactly
 * one result, and nobody counts as delivered to whom no 2xx came after the
 * final dot.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_started;
	unsigned delivered = 0;
	unsigned successes = 0;

	if (!is_started) {
		world_start("smtp_tls_level = may\n");
		is_started = true;
	}
	begin();
	for (const uint8_t *end = data + size; data < end;) {
		const uint8_t *cut = memchr(data, 255, (size_t)(end - data));
		size_t n = (size_t)((cut != NULL ? cut : end) - data);

		serve(data, n);
		data += n + (cut != NULL ? 1 : 0);
	}
	for (unsigned i = 0; i < world.n_conns; i++) {
		world_close(i);
	}
	/* Every wait ends. */
	for (int i = 0; i < 20 && world.n_results < 4; i++) {
		fake_loop_pass(4000ULL * 1000000);
		for (unsigned k = 0; k < world.n_conns; k++) {
			world_close(k);
		}
	}
	assert(world.n_results == 4);
	for (unsigned i = 0; i < world.n_results; i++) {
		delivered += world.results[i].m.outcome == OUTCOME_DELIVERED;
	}
	for (unsigned i = 0; i < WORLD_MAX; i++) {
		successes += has_success(&after_dot[i]);
		buf_fini(&after_dot[i]);
	}
	/* Two jobs at most over a connection, two recipients each. */
	assert(delivered <= 4 * successes);
	world_reset();
	return 0;
}
