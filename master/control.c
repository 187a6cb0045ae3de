#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "loop.h"
#include "master.h"
#include "tool_serve.h"

/* A tool that says nothing is left after so long. */
#define HELLO_TIME_US 5000000

static int control_fd = -1;
static struct loop_io *control_io;
static char control_path[108];

/* A tool whose first packet has not come. */
struct guest {
	int fd;
	uint32_t uid;
	struct loop_io *io;
	struct loop_timer *timer;
};

static void
guest_free(struct guest *g)
{
	loop_io_free(&g->io);
	loop_timer_free(&g->timer);
	if (g->fd >= 0) {
		(void)close(g->fd);
	}
	free(g);
}

static void
refuse(int fd, int status, const char *why)
{
	struct ipc_tool_end m = { .status = (uint32_t)status,
		.error = str_of(why) };
	struct buf packet = { 0 };

	if (ipc_encode(&packet, IPC_tool_end, 0, &m) == 0) {
		(void)!send(
		    fd, packet.p, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	buf_fini(&packet);
}

static void
serve(struct tool *t)
{
	if (strcmp(tool_command(t), "status") == 0) {
		child_status(t);
		tool_end(t, child_all_ready() ? EX_OK : EX_TEMPFAIL, NULL);
	} else {
		tool_end(
		    t, EX_USAGE, "master has no command %s", tool_command(t));
	}
}

/* Hands the connection to the daemon it asks for. */
static void
pass_on(struct guest *g, const struct ipc_tool_hello *hello)
{
	struct ipc_tool m = { .uid = g->uid, .command = hello->command };

	if (str_is(hello->service, "master")) {
		tool_serve(g->fd, ROLE_MASTER, g->uid, serve);
		g->fd = -1;
		return;
	}
	for (unsigned i = 0; i < n_service_rows; i++) {
		struct peer *p;

		if (!str_is(hello->service, service_rows[i].name)) {
			continue;
		}
		p = child_peer(service_rows[i].role);
		if (p == NULL || peer_send_fd(p, IPC_tool, 0, &m, g->fd) < 0) {
			refuse(g->fd, EX_TEMPFAIL,
			    "the daemon is not running now: see the log");
		}
		return;
	}
	refuse(g->fd, EX_USAGE, "there is no such daemon");
}

static void
on_hello(void *arg, unsigned ready)
{
	_Alignas(16) uint8_t rec[IPC_STRUCT_MAX];
	char data[1024];
	struct guest *g = arg;
	struct ipc_head head;
	struct str packet = { data, 0 };
	ssize_t n = recv(g->fd, data, sizeof(data), MSG_DONTWAIT);

	(void)ready;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	packet.len = n > 0 ? (size_t)n : 0;
	if (ipc_decode(&packet, ROLE_TOOL, ROLE_MASTER, &head, rec) == 0 &&
	    head.type == IPC_tool_hello) {
		pass_on(g, (const void *)rec);
	}
	guest_free(g);
}

static void
on_silence(void *arg)
{
	guest_free(arg);
}

static void
on_connect(void *arg, unsigned ready)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	struct guest *g;
	int fd = accept4(control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)arg;
	(void)ready;
	if (fd < 0) {
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ||
	    (who.uid != 0 && who.uid != geteuid())) {
		refuse(fd, EX_NOPERM, "only the superuser may do that");
		(void)close(fd);
		return;
	}
	g = mem_alloc(sizeof(*g));
	g->fd = fd;
	g->uid = who.uid;
	g->io = loop_io_new(fd, LOOP_READ, on_hello, g);
	g->timer = loop_timer_new(on_silence, g);
	loop_timer_arm(g->timer, HELLO_TIME_US);
}

int
control_open(const struct conf *c, struct buf *error)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int r = 0;

	(void)snprintf(
	    control_path, sizeof(control_path), "%s/control", c->run_directory);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", control_path);
	/* We hold the lock of the pid file: a socket there is a left-over. */
	(void)unlink(control_path);
	control_fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control_fd < 0 ||
	    bind(control_fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(control_path, 0660) < 0 || listen(control_fd, 128) < 0) {
		r = -errno;
		buf_printf(error, "%s: %s", control_path, strerror(-r));
		return r;
	}
	control_io = loop_io_new(control_fd, LOOP_READ, on_connect, NULL);
	return 0;
}

void
control_close(void)
{
	loop_io_free(&control_io);
	if (control_fd >= 0) {
		(void)close(control_fd);
		(void)unlink(control_path);
		control_fd = -1;
	}
}
