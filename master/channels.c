#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "log.h"

static void
send_end(struct child *to, const struct child *other, int fd)
{
	struct ipc_channel m = { .role = (uint32_t)other->row->role,
		.index = other->index };

	(void)peer_send_fd(to->peer, IPC_channel, 0, &m, fd);
}

void
channels_connect(struct child *a, struct child *b)
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

void
channels_begin(struct child *c)
{
	static const struct ipc_begin begin;

	if (c->row->role == ROLE_SMTPD) {
		listen_send(c->peer);
		tickets_send(c->peer);
	}
	(void)peer_send(c->peer, IPC_begin, 0, &begin);
}

void
channels_introduce(struct child *c)
{
	for (struct child *o = children; o != NULL; o = o->next) {
		if (o != c && o->peer != NULL &&
		    service_talks(c->row->role, o->row->role)) {
			channels_connect(c, o);
		}
	}
	channels_begin(c);
}
