#include "shell.h"

#include <errno.h>

#include "checkpoint.h"
#include "clock.h"
#include "log.h"
#include "qmgr.h"
#include "relocate.h"
#include "routes.h"
#include "service.h"
#include "shaping.h"
#include "tools.h"

#define FILE_TIMEOUT_US (10 * US_PER_S)
/* A stop waits so long for its checkpoint, if drain_time allows. */
#define CHECKPOINT_US (10 * US_PER_S)

static struct qmgr self;
static struct routes *routes;

struct qmgr *
qmgr_self(void)
{
	return &self;
}

const char *
shell_directory(const struct conf *c)
{
	return c->spool_directory;
}

static void
on_file(void *arg, enum ipc_type type, const void *m)
{
	const struct ipc_file_rep *rep = m;
	int fd = -1;

	(void)arg;
	if (type == IPC_file_rep && rep->status == 0) {
		fd = peer_take_fd(service_master());
	}
	if (fd >= 0) {
		relocate_file(&self, 0, fd, rep->segid);
	} else {
		relocate_file(&self,
		    type == IPC_file_rep && rep->status != 0 ? rep->status
							     : ETIMEDOUT,
		    -1, 0);
	}
}

static void
ask_file(struct qmgr *q)
{
	struct ipc_file_req m = { .kind = SPOOL_SEGMENT };

	if (peer_call(service_master(), IPC_file_req, &m, -1, FILE_TIMEOUT_US,
		on_file, q, NULL) < 0) {
		relocate_file(q, EPIPE, -1, 0);
	}
}

static struct shaping *shaping; /* taken by shell_start */

/* Before the sandbox, which has no way to the configuration. The passwords of
 * next hops end here: deliver gets each with the jobs that need it, and never
 * the file. */
void
shell_init(void)
{
	struct buf error = { 0 };

	if (routes_load(conf(), &routes, &error) < 0 ||
	    shaping_load(conf()->dir, &shaping, &error) < 0) {
		fatal("%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
}

void
shell_start(void)
{
	struct shaping *taken = shaping;
	struct buf error = { 0 };

	shaping = NULL;
	if (qmgr_open(&self, conf(), routes, taken, clock_wall_us(), &error) <
	    0) {
		fatal("%.*s", (int)error.len, (const char *)error.p);
	}
	buf_fini(&error);
	self.ask_file = ask_file;
	qmgr_run(&self);
}

void
shell_peer_up(struct peer *p)
{
	peers_up(&self, p);
}

void
shell_peer_down(struct peer *p)
{
	peers_down(&self, p);
}

void
shell_tool(struct tool *t)
{
	tools_run(&self, t);
}

static uint64_t drain_until_us;

/*
 * Nothing is given out any more. Deliveries that run end in deliver, which
 * keeps their results for the next qmgr: there is nothing to wait for but the
 * journal's last sync, and the checkpoint.
 */
static void
leave_when_durable(void *arg)
{
	struct qmgr *q = arg;
	bool is_written = jrn_pending(q->jrn) == 0 || !jrn_is_ok(q->jrn);

	if (is_written &&
	    (!checkpoint_is_running(q) || clock_mono_us() > drain_until_us)) {
		service_exit();
		return;
	}
	loop_timer_arm(q->again, 10 * US_PER_MS);
}

void
shell_drain(void)
{
	uint64_t patience = conf()->drain_time / 2;

	drain_until_us = clock_mono_us() +
	    (patience < CHECKPOINT_US ? patience : CHECKPOINT_US);
	self.is_draining = true;
	checkpoint_at_stop(&self);
	loop_timer_free(&self.again);
	self.again = loop_timer_new(leave_when_durable, &self);
	loop_timer_arm(self.again, 0);
}

void
shell_stop(void)
{
	qmgr_close(&self);
	routes_free(&routes);
}
