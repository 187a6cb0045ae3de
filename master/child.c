#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "loop.h"
#include "master.h"

#define BACKOFF_FIRST_US (1 * US_PER_S)
#define BACKOFF_MAX_US (60 * US_PER_S)
/* Who lived this long did not die of a broken start. */
#define HEALTHY_US (10 * US_PER_S)
/* After drain_time and this a child that does not end is killed. */
#define KILL_GRACE_US (5 * US_PER_S)
#define CHILD_FD 3

enum state {
	CHILD_STARTING,
	CHILD_READY,
	CHILD_DRAINING,
	CHILD_WAITING, /* dead; the timer starts it again */
};

struct child {
	struct child *next;
	const struct service_row *row;
	unsigned index;
	enum state state;
	pid_t pid;
	struct peer *peer;	  /* control channel; NULL when closed */
	struct loop_timer *timer; /* restart or kill */
	uint64_t started_us;
	uint64_t backoff_us;
	unsigned restarts;
	bool is_successor_due; /* a reload replaces it when it has ended */
};

static struct child *children;
static bool was_all_ready; /* once since the start */
static bool is_stopping;
static int exit_status;
/* A reload replaces one row after the other; n_service_rows: none running. */
static unsigned replacing = ~0u;

static void spawn(struct child *c);
static void replace_next(void);
static void stop_next(void);

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

/* ---- channels ----------------------------------------------------------- */

static void
send_end(struct child *to, const struct child *other, int fd)
{
	struct ipc_channel m = { .role = (uint32_t)other->row->role,
		.index = other->index };

	(void)peer_send_fd(to->peer, IPC_channel, 0, &m, fd);
}

static void
connect_pair(struct child *a, struct child *b)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, fd) < 0) {
		log_error("socketpair: %s", strerror(errno));
		return;
	}
	send_end(a, b, fd[0]);
	send_end(b, a, fd[1]);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/*
 * Gives a new child its channels and listeners, then tells it to begin. Who is
 * draining still needs the others: deliver to report, smtpd for its sessions.
 */
static void
introduce(struct child *c)
{
	static const struct ipc_begin begin;

	for (struct child *o = children; o != NULL; o = o->next) {
		if (o != c && o->peer != NULL &&
		    service_talks(c->row->role, o->row->role)) {
			connect_pair(c, o);
		}
	}
	if (c->row->role == ROLE_SMTPD) {
		listen_send(c->peer);
		tickets_send(c->peer);
	}
	(void)peer_send(c->peer, IPC_begin, 0, &begin);
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
		replace_next();
	}
}

static void
on_file_req(struct peer *p, uint32_t id, const void *msg)
{
	spool_files_request(p, id, msg);
}

static const struct peer_handler handlers[] = {
	{ IPC_ready, on_ready },
	{ IPC_file_req, on_file_req },
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

static void
spawn(struct child *c)
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
		spawn(c);
		introduce(c);
	} else {
		log_warn("%s %u does not end: killed", c->row->name, c->index);
		(void)kill(c->pid, SIGKILL);
	}
}

static struct child *
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

void
child_start_all(void)
{
	for (unsigned i = 0; i < n_service_rows; i++) {
		unsigned n = service_count(&service_rows[i], master_conf());

		for (unsigned k = 0; k < n; k++) {
			spawn(child_new(&service_rows[i], k));
		}
	}
	for (struct child *a = children; a != NULL; a = a->next) {
		for (struct child *b = a->next; b != NULL; b = b->next) {
			if (service_talks(a->row->role, b->row->role)) {
				connect_pair(a, b);
			}
		}
	}
	for (struct child *c = children; c != NULL; c = c->next) {
		static const struct ipc_begin begin;

		if (c->row->role == ROLE_SMTPD) {
			listen_send(c->peer);
			tickets_send(c->peer);
		}
		(void)peer_send(c->peer, IPC_begin, 0, &begin);
	}
}

/* ---- the end of a child ------------------------------------------------- */

static void
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
	if (WIFSIGNALED(status)) {
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
		if (c->backoff_us > BACKOFF_MAX_US) {
			c->backoff_us = BACKOFF_MAX_US;
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
	if (is_stopping) {
		child_remove(c);
		stop_next();
	} else if (c->state == CHILD_DRAINING && c->is_successor_due) {
		c->is_successor_due = false;
		spawn(c);
		introduce(c);
	} else if (c->state == CHILD_DRAINING) {
		child_remove(c);
		replace_next();
	} else if (!was_all_ready) {
		log_error("%s did not start: ending", c->row->name);
		exit_status = 1;
		child_remove(c);
		child_stop_all();
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
		for (struct child *c = children; c != NULL; c = c->next) {
			if (c->pid == pid && c->state != CHILD_WAITING) {
				on_death(c, status);
				break;
			}
		}
	}
}

static void
drain(struct child *c)
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

/* ---- stop --------------------------------------------------------------- */

/*
 * Who hands out work ends before who records what became of it: first what
 * talks to the outside, then the queue, then those whom the queue asks.
 */
static const unsigned stop_order[] = { ROLE_SMTPD, ROLE_DELIVER | ROLE_BOUNCER,
	ROLE_QMGR, ROLE_DAEMONS };

static void
stop_next(void)
{
	struct child *next;

	for (size_t i = 0; i < array_len(stop_order); i++) {
		bool any = false;

		for (struct child *c = children; c != NULL; c = next) {
			next = c->next;
			if (((unsigned)c->row->role & stop_order[i]) != 0) {
				any = true;
				drain(c);
			}
		}
		if (any) {
			return;
		}
	}
	if (children == NULL) {
		loop_stop();
	}
}

/*
 * Nobody is left waiting for a restart, whose end nobody would tell. The
 * queue is started at once: deliver has results that only it can keep.
 */
static void
settle_waiting(void)
{
	struct child *next;

	for (struct child *c = children; c != NULL; c = next) {
		next = c->next;
		if (c->state != CHILD_WAITING) {
			continue;
		}
		loop_timer_stop(c->timer);
		if (c->row->role == ROLE_QMGR) {
			spawn(c);
		}
		if (c->state == CHILD_WAITING) {
			child_remove(c);
		} else {
			introduce(c);
		}
	}
}

void
child_stop_all(void)
{
	if (!is_stopping) {
		is_stopping = true;
		settle_waiting();
	}
	stop_next();
}

/* ---- reload ------------------------------------------------------------- */

/* Replaces the processes of one row; their number may have changed. */
static void
replace_row(const struct service_row *row)
{
	unsigned n = service_count(row, master_conf());
	struct child *next;

	for (struct child *c = children; c != NULL; c = next) {
		next = c->next;
		if (c->row != row || c->state == CHILD_DRAINING) {
			continue;
		}
		c->is_successor_due = !row->is_overlapping && c->index < n;
		drain(c);
	}
	for (unsigned k = 0; k < n; k++) {
		bool is_there = false;

		for (struct child *c = children; c != NULL; c = c->next) {
			is_there = is_there ||
			    (c->row == row && c->index == k &&
				!row->is_overlapping);
		}
		if (!is_there) {
			struct child *c = child_new(row, k);

			spawn(c);
			introduce(c);
		}
	}
}

static bool
all_settled(void)
{
	for (struct child *c = children; c != NULL; c = c->next) {
		bool is_leaving =
		    c->state == CHILD_DRAINING && c->row->is_overlapping;

		if (c->state != CHILD_READY && !is_leaving) {
			return false;
		}
	}
	return true;
}

/* One row after the other, each when the one before is ready. */
static void
replace_next(void)
{
	if (replacing < n_service_rows && all_settled() && !is_stopping) {
		const struct service_row *row = &service_rows[replacing++];

		replace_row(row);
		if (replacing == n_service_rows) {
			log_info("reload is complete");
		}
	}
}

void
child_replace_all(void)
{
	replacing = 0;
	replace_next();
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
