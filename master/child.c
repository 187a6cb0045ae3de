#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "log.h"
#include "loop.h"

#define BACKOFF_FIRST_US (1 * US_PER_S)
/* Who lived this long did not die of a broken start. */
#define HEALTHY_US (10 * US_PER_S)
/* After drain_time and this a child that does not end is killed. */
#define KILL_GRACE_US (5 * US_PER_S)
#define CHILD_FD 3

struct child *children;
static bool was_all_ready; /* once since the start */
static int exit_status;

static bool
is_running(const struct child *c)
{
	return c->state == CHILD_STARTING || c->state == CHILD_READY;
}

struct peer *
child_peer(enum role role)
{
	for (struct child *c = children; c != NULL; c = c->next) {
		if (c->row->role == role && is_running(c)) {
			return c->peer;
		}
	}
	return NULL;
}

void
child_each(enum role role, void (*fn)(struct peer *p))
{
	for (struct child *c = children; c != NULL; c = c->next) {
		if (c->row->role == role && c->peer != NULL) {
			fn(c->peer);
		}
	}
}

bool
child_all_ready(void)
{
	for (struct child *c = children; c != NULL; c = c->next) {
		if (c->state != CHILD_READY) {
			return false;
		}
	}
	return children != NULL;
}

int
child_exit_status(void)
{
	return exit_status;
}

/* ---- messages of children ----------------------------------------------- */

static void
on_ready(struct peer *p, uint32_t id, const void *msg)
{
	struct child *c = peer_arg(p);

	(void)id;
	(void)msg;
	if (c->state != CHILD_STARTING) {
		return;
	}
	c->state = CHILD_READY;
	log_debug(
	    "%s %u is ready, pid %d", c->row->name, c->index, (int)c->pid);
	if (child_all_ready()) {
		if (!was_all_ready) {
			was_all_ready = true;
			log_info("the mail system is running, pid %d",
			    (int)getpid());
			master_ready();
		}
		phases_ready();
	}
}

static const struct peer_handler handlers[] = {
	{ IPC_ready, on_ready },
	{ IPC_file_req, spool_files_on_req },
	{ IPC_alert_run_req, alert_on_run },
	{ 0, NULL },
};

static void
on_down(struct peer *p, const char *error)
{
	struct child *c = peer_arg(p);

	if (error != NULL) {
		log_error("%s %u %s", c->row->name, c->index, error);
		(void)kill(c->pid, SIGKILL);
	}
	c->peer = NULL; /* SIGCHLD does the rest */
}

/* ---- start -------------------------------------------------------------- */

static void NORETURN
exec_child(const struct child *c, int fd)
{
	char path[4096], index[16];
	const char *dir = master_conf()->dir;
	char *argv[] = { (char *)(uintptr_t)c->row->name,
		(char *)(uintptr_t) "-c", (char *)(uintptr_t)dir,
		(char *)(uintptr_t) "-i", index, NULL };
	sigset_t none;

	(void)snprintf(path, sizeof(path), "%s/%s",
	    master_conf()->daemon_directory, c->row->name);
	(void)snprintf(index, sizeof(index), "%u", c->index);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (fd == CHILD_FD) {
		(void)fcntl(fd, F_SETFD, 0);
	} else {
		(void)dup2(fd, CHILD_FD);
	}
	(void)execv(path, argv);
	log_error("%s: %s", path, strerror(errno));
	_exit(127);
}

void
child_spawn(struct child *c)
{
	int fd[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, fd) < 0) {
		fatal("socketpair: %s", strerror(errno));
	}
	log_flush();
	pid = fork();
	if (pid == 0) {
		exec_child(c, fd[1]);
	}
	(void)close(fd[1]);
	c->pid = pid;
	c->started_us = clock_mono_us();
	c->state = CHILD_STARTING;
	c->peer = peer_new(fd[0],
	    &(struct peer_config){ .self = ROLE_MASTER,
		.role = c->row->role,
		.index = c->index,
		.handlers = handlers,
		.down = on_down,
		.arg = c });
	if (pid < 0) {
		log_error("cannot start %s: %s", c->row->name, strerror(errno));
		peer_free(&c->peer);
		c->state = CHILD_WAITING;
		loop_timer_arm(c->timer, c->backoff_us);
	}
}

/* The timer: starts a dead child again, or ends one that does not drain. */
static void
on_timer(void *arg)
{
	struct child *c = arg;

	if (c->state == CHILD_WAITING) {
		child_spawn(c);
		channels_introduce(c);
	} else {
		log_warn("%s %u does not end: killed", c->row->name, c->index);
		(void)kill(c->pid, SIGKILL);
	}
}

struct child *
child_new(const struct service_row *row, unsigned index)
{
	struct child *c = mem_alloc(sizeof(*c)), **at = &children;

	c->row = row;
	c->index = index;
	c->backoff_us = BACKOFF_FIRST_US;
	c->timer = loop_timer_new(on_timer, c);
	while (*at != NULL) {
		at = &(*at)->next;
	}
	*at = c;
	return c;
}

/* ---- the end of a child ------------------------------------------------- */

void
child_remove(struct child *c)
{
	for (struct child **at = &children; *at != NULL; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	peer_free(&c->peer);
	loop_timer_free(&c->timer);
	free(c);
}

static void
log_death(const struct child *c, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		log_error("%s %u, pid %d, was killed by its sandbox: a defect, "
			  "or a break-in; the kernel's log names the system "
			  "call (type=1326)",
		    c->row->name, c->index, (int)c->pid);
	} else if (WIFSIGNALED(status)) {
		log_warn("%s %u, pid %d, was killed by signal %d", c->row->name,
		    c->index, (int)c->pid, WTERMSIG(status));
	} else if (c->state != CHILD_DRAINING) {
		log_warn("%s %u, pid %d, ended with status %d", c->row->name,
		    c->index, (int)c->pid, WEXITSTATUS(status));
	}
}

static void
restart(struct child *c)
{
	bool was_healthy = clock_mono_us() - c->started_us > HEALTHY_US;
	uint64_t wait;

	c->restarts++;
	if (was_healthy) {
		c->backoff_us = BACKOFF_FIRST_US;
	}
	/* The first death after a healthy life is repaired at once. */
	wait = was_healthy || c->restarts == 1 ? 0 : c->backoff_us;
	c->state = CHILD_WAITING;
	if (wait != 0) {
		log_warn("%s %u is started again in %u s", c->row->name,
		    c->index, (unsigned)(wait / US_PER_S));
		c->backoff_us *= 2;
		if (c->backoff_us > master_conf()->service_throttle_time) {
			c->backoff_us = master_conf()->service_throttle_time;
		}
	}
	loop_timer_arm(c->timer, wait);
}

static void
on_death(struct child *c, int status)
{
	log_death(c, status);
	peer_free(&c->peer);
	loop_timer_stop(c->timer);
	if (phases_is_stopping() && phases_starts_again(c)) {
		child_spawn(c);
		channels_introduce(c);
	} else if (phases_is_stopping()) {
		child_remove(c);
		phases_ended();
	} else if (c->state == CHILD_DRAINING && c->is_successor_due) {
		c->is_successor_due = false;
		child_spawn(c);
		channels_introduce(c);
	} else if (c->state == CHILD_DRAINING) {
		child_remove(c);
		phases_ended();
	} else if (!was_all_ready) {
		log_error("%s did not start: ending", c->row->name);
		exit_status = 1;
		child_remove(c);
		phases_stop();
	} else {
		restart(c);
	}
}

void
child_reap(void)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0) {
			return;
		}
		if (alert_reaped(pid, status)) {
			continue;
		}
		for (struct child *c = children; c != NULL; c = c->next) {
			if (c->pid == pid && c->state != CHILD_WAITING) {
				on_death(c, status);
				break;
			}
		}
	}
}

void
child_drain(struct child *c)
{
	static const struct ipc_drain m;

	if (c->state == CHILD_DRAINING) {
		return;
	}
	if (c->state == CHILD_WAITING) {
		child_remove(c);
		return;
	}
	c->state = CHILD_DRAINING;
	if (c->peer != NULL) {
		(void)peer_send(c->peer, IPC_drain, 0, &m);
	}
	loop_timer_arm(c->timer, master_conf()->drain_time + KILL_GRACE_US);
}

/* ---- status ------------------------------------------------------------- */

void
child_status(struct tool *t)
{
	static const char *const states[] = { "starting", "ready", "draining",
		"waiting" };

	tool_out(t,
	    json_pack("{s:s, s:i, s:i, s:s, s:i}", "service", "master", "index",
		0, "pid", (int)getpid(), "state",
		child_all_ready() ? "ready" : "starting", "restarts", 0));
	for (struct child *c = children; c != NULL; c = c->next) {
		tool_out(t,
		    json_pack("{s:s, s:i, s:i, s:s, s:i}", "service",
			c->row->name, "index", (int)c->index, "pid",
			(int)c->pid, "state", states[c->state], "restarts",
			(int)c->restarts));
	}
}

void
child_fini(void)
{
	while (children != NULL) {
		(void)kill(children->pid, SIGKILL);
		child_remove(children);
	}
}
