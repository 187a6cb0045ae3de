#include "shell.h"

#include "clock.h"
#include "log.h"
#include "qmgr.h"
#include "service.h"
#include "tools.h"

static struct qmgr self;

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

void
shell_start(void)
{
	struct buf error = { 0 };

	if (qmgr_open(&self, conf(), clock_wall_us(), &error) < 0) {
		fatal("%.*s", (int)error.len, (const char *)error.p);
	}
	buf_fini(&error);
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

/*
 * Nothing is given out any more. Deliveries that run end in deliver, which
 * keeps their results for the next qmgr: there is nothing to wait for but the
 * journal's last sync.
 */
static void
leave_when_durable(void *arg)
{
	struct qmgr *q = arg;

	if (jrn_pending(q->jrn) == 0 || !jrn_is_ok(q->jrn)) {
		service_exit();
		return;
	}
	loop_timer_arm(q->again, 10 * US_PER_MS);
}

void
shell_drain(void)
{
	self.is_draining = true;
	loop_timer_free(&self.again);
	self.again = loop_timer_new(leave_when_durable, &self);
	loop_timer_arm(self.again, 0);
}

void
shell_stop(void)
{
	qmgr_close(&self);
}
