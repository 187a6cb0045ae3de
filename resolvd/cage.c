#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "file.h"
#include "log.h"
#include "sandbox.h"

/* Taken from the pipe at a time. */
#define READ_BYTES 4096

/* ---- the child ---------------------------------------------------------- */

/* Descriptors are given out from below, so none is above the limit. */
static void
close_all_but(int keep)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0) {
		_exit(1);
	}
	for (rlim_t fd = 0; fd < files.rlim_cur; fd++) {
		if ((int)fd != keep) {
			(void)close((int)fd);
		}
	}
}

/* The parent reads, so waiting for room in the pipe is no wait for long. */
static void NORETURN
run(int fd, const struct cage_task *task)
{
	struct buf out = { 0 };

	(void)signal(SIGTERM, SIG_DFL);
	close_all_but(fd);
	if (task->prepare != NULL) {
		task->prepare(task->arg);
	}
	if (sandbox_enter(task->rights, -1) < 0) {
		_exit(1);
	}
	task->work(task->arg, &out);
	_exit(file_write(fd, out.p, out.len) == 0 ? 0 : 1);
}

/* ---- the parent --------------------------------------------------------- */

/* After a kill the child is gone at once, so waiting for it is no wait. */
static void
reap(struct cage *c)
{
	int status = 0;

	if (c->pid > 0) {
		(void)kill(c->pid, SIGKILL);
		while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {
		}
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
			log_error("a child, pid %d, was killed by its sandbox: "
				  "a defect, or a break-in; the kernel's log "
				  "names the system call (type=1326)",
			    (int)c->pid);
		}
		c->pid = 0;
	}
	loop_io_free(&c->io);
	loop_timer_free(&c->timer);
	if (c->fd > 0) {
		(void)close(c->fd);
		c->fd = 0;
	}
}

static void
finish(void *arg)
{
	struct cage *c = arg;
	struct buf result = { 0 };

	buf_move(&result, &c->result);
	reap(c);
	c->done(c->arg, buf_str(&result));
	buf_fini(&result);
}

static void
fail(void *arg)
{
	struct cage *c = arg;

	c->result.len = 0;
	finish(c);
}

static void
on_readable(void *arg, unsigned ready)
{
	struct cage *c = arg;
	ssize_t n =
	    read(c->fd, buf_reserve(&c->result, READ_BYTES), READ_BYTES);

	(void)ready;
	if (n > 0) {
		c->result.len += (size_t)n;
		if (c->result.len > c->result_max) {
			fail(c);
		}
	} else if (n == 0) {
		finish(c);
	} else if (errno != EAGAIN && errno != EINTR) {
		fail(c);
	}
}

void
cage_start(
    struct cage *c, const struct cage_task *task, cage_done_fn *done, void *arg)
{
	int fds[2];

	cage_end(c);
	c->done = done;
	c->arg = arg;
	c->result_max = task->result_max;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		loop_defer(&c->defer, fail, c);
		return;
	}
	c->fd = fds[0];
	(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
	c->pid = fork();
	if (c->pid == 0) {
		run(fds[1], task);
	}
	(void)close(fds[1]);
	if (c->pid < 0) {
		c->pid = 0;
		loop_defer(&c->defer, fail, c);
		return;
	}
	c->io = loop_io_new(c->fd, LOOP_READ, on_readable, c);
	c->timer = loop_timer_new(fail, c);
	loop_timer_arm(c->timer, task->time_us);
}

void
cage_end(struct cage *c)
{
	loop_defer_cancel(&c->defer);
	reap(c);
	buf_fini(&c->result);
}
