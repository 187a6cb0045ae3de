#include "peer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "loop.h"
#include "map.h"

/* Packets leave at this size even before the turn ends, bytes. */
#define PACKET_FULL (60 * 1024)
/* Packets read in one go, so that one busy peer does not starve others. */
#define READS_PER_TURN 16
#define SOCKET_BUFFER (1024 * 1024)

/* A packet on its way: its bytes and the descriptor that goes with it. */
struct packet {
	struct packet *next;
	int fd; /* -1: none; ours, closed when sent */
	struct buf data;
};

struct call {
	struct peer *peer;
	uint32_t id;
	peer_reply_fn *fn;
	void *arg;
	struct loop_timer *timer;
};

struct peer {
	struct peer_config c;
	int fd;
	struct loop_io *io;
	struct buf out;	      /* the packet being filled */
	struct packet *queue; /* packets that the socket did not take */
	struct packet **tail;
	size_t queued; /* bytes in queue */
	struct loop_defer flush;
	struct loop_defer fail;
	struct map *calls; /* by id */
	uint32_t last_id;
	int received_fd;
	const char *error;
	bool is_dead;
	bool is_finishing;
};

static void on_io(void *arg, unsigned ready);

struct peer *
peer_new(int fd, const struct peer_config *c)
{
	struct peer *p = mem_alloc(sizeof(*p));
	int size = SOCKET_BUFFER;

	p->c = *c;
	p->fd = fd;
	p->received_fd = -1;
	p->tail = &p->queue;
	p->calls = map_new();
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	p->io = loop_io_new(fd, LOOP_READ, on_io, p);
	return p;
}

/*
 * Any packet may hold a secret. To forget all of them costs less than to know
 * which, as the bytes were just touched.
 */
static void
wipe(struct buf *data)
{
	if (data->len > 0) {
		explicit_bzero(data->p, data->len);
	}
}

static void
packet_free(struct packet *k)
{
	if (k->fd >= 0) {
		(void)close(k->fd);
	}
	wipe(&k->data);
	buf_fini(&k->data);
	free(k);
}

static void
call_free(struct peer *p, struct call *call)
{
	(void)map_del_u64(p->calls, call->id);
	loop_timer_free(&call->timer);
	free(call);
}

/* Every pending request hears that there will be no reply. */
static void
fail_calls(struct peer *p)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(p->calls, &at, &key, &value)) {
		struct call *call = value;
		peer_reply_fn *fn = call->fn;
		void *arg = call->arg;

		call_free(p, call);
		fn(arg, (enum ipc_type)0, NULL);
		at = 0; /* the callback may have changed the table */
	}
}

void
peer_free(struct peer **pp)
{
	struct peer *p = *pp;

	if (p == NULL) {
		return;
	}
	*pp = NULL;
	if (!p->is_dead) {
		peer_flush(p);
	}
	p->is_dead = true;
	loop_io_free(&p->io);
	loop_defer_cancel(&p->flush);
	loop_defer_cancel(&p->fail);
	fail_calls(p);
	map_free(&p->calls, NULL);
	while (p->queue != NULL) {
		struct packet *k = p->queue;

		p->queue = k->next;
		packet_free(k);
	}
	wipe(&p->out);
	buf_fini(&p->out);
	if (p->received_fd >= 0) {
		(void)close(p->received_fd);
	}
	(void)close(p->fd);
	free(p);
}

static void
fail_late(void *arg)
{
	struct peer *p = arg;

	fail_calls(p);
	if (p->c.down != NULL) {
		p->c.down(p, p->error);
	}
	peer_free(&p);
}

/* Ends the peer after the current callbacks. */
static void
fail(struct peer *p, const char *error)
{
	if (!p->is_dead) {
		p->is_dead = true;
		p->error = error;
		loop_io_want(p->io, 0);
		loop_defer(&p->fail, fail_late, p);
	}
}

void
peer_finish(struct peer **pp)
{
	struct peer *p = *pp;

	if (p == NULL) {
		return;
	}
	peer_flush(p);
	*pp = NULL;
	p->is_finishing = true;
	p->c.down = NULL;
	p->c.handlers = NULL;
	/* Never freed here: it may be this peer whose handler is running. */
	if (p->queue == NULL) {
		fail(p, NULL);
	}
}

enum role
peer_role(const struct peer *p)
{
	return p->c.role;
}

uint32_t
peer_index(const struct peer *p)
{
	return p->c.index;
}

void *
peer_arg(const struct peer *p)
{
	return p->c.arg;
}

void
peer_set_arg(struct peer *p, void *arg)
{
	p->c.arg = arg;
}

size_t
peer_queued(const struct peer *p)
{
	return p->queued + p->out.len;
}

/* Returns 0, -EAGAIN or another -errno. */
static int
send_packet(struct peer *p, const void *data, size_t len, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	while (sendmsg(p->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno != EINTR) {
			return errno == ENOBUFS || errno == ETOOMANYREFS
			    ? -EAGAIN
			    : -errno;
		}
	}
	return 0;
}

/* Sends or queues one packet; data is emptied, fd (or -1) stays open. */
static void
emit(struct peer *p, struct buf *data, int fd)
{
	int r = -EAGAIN;

	if (p->queue == NULL) {
		r = send_packet(p, data->p, data->len, fd);
	}
	if (r == -EAGAIN) {
		struct packet *k = mem_alloc(sizeof(*k));

		k->fd = fd >= 0 ? dup(fd) : -1;
		p->queued += data->len;
		buf_move(&k->data, data);
		*p->tail = k;
		p->tail = &k->next;
		loop_io_want(p->io, LOOP_READ | LOOP_WRITE);
	} else if (r < 0) {
		fail(p, NULL);
	}
	wipe(data);
	buf_clear(data, PACKET_FULL * 2);
}

static void
drain_queue(struct peer *p)
{
	while (p->queue != NULL) {
		struct packet *k = p->queue;
		int r = send_packet(p, k->data.p, k->data.len, k->fd);

		if (r == -EAGAIN) {
			return;
		}
		if (r < 0) {
			fail(p, NULL);
			return;
		}
		p->queue = k->next;
		p->queued -= k->data.len;
		packet_free(k);
	}
	p->tail = &p->queue;
	loop_io_want(p->io, LOOP_READ);
	if (p->is_finishing) {
		fail(p, NULL);
	} else if (p->c.drained != NULL) {
		p->c.drained(p);
	}
}

void
peer_flush(struct peer *p)
{
	if (!p->is_dead && p->out.len != 0) {
		emit(p, &p->out, -1);
	}
}

static void
flush_late(void *arg)
{
	peer_flush(arg);
}

int
peer_send(struct peer *p, enum ipc_type type, uint32_t id, const void *m)
{
	size_t before = p->out.len;
	int r;

	if (p->is_dead) {
		return -EPIPE;
	}
	if (p->queued > PEER_QUEUE_MAX) {
		fail(p, "does not read its messages");
		return -ENOBUFS;
	}
	r = ipc_encode(&p->out, type, id, m);
	if (r < 0) {
		return r;
	}
	if (p->out.len > PACKET_FULL && before != 0) {
		struct buf rest = { 0 };

		buf_add(&rest, p->out.p + before, p->out.len - before);
		explicit_bzero(p->out.p + before, p->out.len - before);
		p->out.len = before;
		emit(p, &p->out, -1);
		buf_add(&p->out, rest.p, rest.len);
		wipe(&rest);
		buf_fini(&rest);
	}
	loop_defer_late(&p->flush, flush_late, p);
	return 0;
}

int
peer_send_fd(
    struct peer *p, enum ipc_type type, uint32_t id, const void *m, int fd)
{
	struct buf data = { 0 };
	int r;

	if (p->is_dead) {
		return -EPIPE;
	}
	r = ipc_encode(&data, type, id, m);
	if (r == 0) {
		peer_flush(p);
		emit(p, &data, fd);
	}
	buf_fini(&data);
	return r;
}

int
peer_take_fd(struct peer *p)
{
	int fd = p->received_fd;

	p->received_fd = -1;
	return fd;
}

static peer_fn *
find_handler(const struct peer *p, unsigned type)
{
	const struct peer_handler *h = p->c.handlers;

	for (; h != NULL && h->fn != NULL; h++) {
		if ((unsigned)h->type == type) {
			return h->fn;
		}
	}
	return NULL;
}

static void
dispatch(struct peer *p, const struct ipc_head *head, const void *rec)
{
	struct call *call = head->id != 0 && (head->type & 1) == 0
	    ? map_get_u64(p->calls, head->id)
	    : NULL;
	peer_fn *fn;

	if (call != NULL) {
		peer_reply_fn *reply = call->fn;
		void *arg = call->arg;

		call_free(p, call);
		reply(arg, (enum ipc_type)head->type, rec);
		return;
	}
	fn = find_handler(p, head->type);
	if (fn != NULL) {
		fn(p, head->id, rec);
	}
	/* else: an answer whose request was given up */
}

static void
handle_packet(struct peer *p, struct str packet)
{
	_Alignas(16) uint8_t rec[IPC_STRUCT_MAX];
	struct ipc_head head;

	while (!p->is_dead) {
		int r = ipc_decode(&packet, p->c.role, p->c.self, &head, rec);

		if (r == -ENODATA) {
			return;
		}
		if (r < 0) {
			fail(p,
			    r == -EPERM ? "sent a message it may not send"
					: "sent a malformed message");
			return;
		}
		dispatch(p, &head, rec);
	}
}

/* One packet, or -errno; 0 is the other end's close. */
static ssize_t
receive(struct peer *p, uint8_t *data, size_t size)
{
	struct iovec iov = { data, size };
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	ssize_t n = recvmsg(p->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0) {
		return -errno;
	}
	h = CMSG_FIRSTHDR(&m);
	if (h != NULL && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(&p->received_fd, CMSG_DATA(h), sizeof(int));
	}
	return (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? -EMSGSIZE : n;
}

static void
drop_received_fd(struct peer *p)
{
	if (p->received_fd >= 0) {
		(void)close(p->received_fd);
		p->received_fd = -1;
	}
}

static void
on_io(void *arg, unsigned ready)
{
	static uint8_t data[IPC_PACKET_MAX];
	struct peer *p = arg;

	if ((ready & LOOP_WRITE) != 0) {
		drain_queue(p);
	}
	for (int i = 0; i < READS_PER_TURN && !p->is_dead; i++) {
		ssize_t n = receive(p, data, sizeof(data));

		if (n == -EINTR) {
			continue;
		}
		if (n == -EAGAIN) {
			return;
		}
		if (n <= 0) {
			fail(p,
			    n == -EMSGSIZE ? "sent too large a packet" : NULL);
			return;
		}
		handle_packet(p, (struct str){ (char *)data, (size_t)n });
		explicit_bzero(data, (size_t)n);
		drop_received_fd(p);
	}
}

static void
on_deadline(void *arg)
{
	struct call *call = arg;
	peer_reply_fn *fn = call->fn;
	void *fn_arg = call->arg;

	call_free(call->peer, call);
	fn(fn_arg, (enum ipc_type)0, NULL);
}

int
peer_call(struct peer *p, enum ipc_type type, const void *m, int fd,
    uint64_t timeout_us, peer_reply_fn *fn, void *arg, uint32_t *id)
{
	struct call *call;
	int r;

	if (p == NULL || p->is_dead) {
		return -EPIPE;
	}
	do {
		p->last_id++;
	} while (p->last_id == 0 || map_get_u64(p->calls, p->last_id) != NULL);
	r = fd >= 0 ? peer_send_fd(p, type, p->last_id, m, fd)
		    : peer_send(p, type, p->last_id, m);
	if (r < 0) {
		return r;
	}
	call = mem_alloc(sizeof(*call));
	*call = (struct call){ p, p->last_id, fn, arg, NULL };
	if (timeout_us != 0) {
		call->timer = loop_timer_new(on_deadline, call);
		loop_timer_arm(call->timer, timeout_us);
	}
	(void)map_put_u64(p->calls, call->id, call);
	if (id != NULL) {
		*id = call->id;
	}
	return 0;
}

void
peer_call_cancel(struct peer *p, uint32_t id)
{
	struct call *call = id != 0 ? map_get_u64(p->calls, id) : NULL;

	if (call != NULL) {
		call_free(p, call);
	}
}
