#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "conf.h"
#include "loop.h"
#include "service.h"

/* How soon a process that was not there is looked for again. */
#define RETRY_US (100 * US_PER_MS)

struct ask {
	LIST_ENTRY(ask) link; /* of those that wait for a process */
	enum role role;
	enum ipc_type type;
	struct buf req; /* encoded; it may hold a password */
	int fd;
	uint64_t until_us;
	struct peer *peer; /* there while call is */
	uint32_t call;	   /* 0: it waits */
	peer_reply_fn *fn;
	void *arg;
};

static LIST_HEAD(, ask) waiting = LIST_HEAD_INITIALIZER(waiting);
static struct loop_timer *retry;

static void
ask_free(struct ask *a)
{
	if (a->req.len != 0) {
		explicit_bzero(a->req.p, a->req.len);
	}
	buf_fini(&a->req);
	if (a->fd >= 0) {
		(void)close(a->fd);
	}
	free(a);
}

static void
finish(struct ask *a, enum ipc_type type, const void *m)
{
	peer_reply_fn *fn = a->fn;
	void *arg = a->arg;

	ask_free(a);
	fn(arg, type, m);
}

static void
on_retry(void *arg)
{
	(void)arg;
	ask_again();
}

static void
wait_for_process(struct ask *a)
{
	LIST_INSERT_HEAD(&waiting, a, link);
	if (retry == NULL) {
		retry = loop_timer_new(on_retry, NULL);
	}
	if (!loop_timer_is_armed(retry)) {
		loop_timer_arm(retry, RETRY_US);
	}
}

static void
on_reply(void *arg, enum ipc_type type, const void *m)
{
	struct ask *a = arg;

	a->call = 0;
	if (m == NULL && clock_mono_us() < a->until_us) {
		wait_for_process(a);
	} else {
		finish(a, type, m);
	}
}

/* To the process that is there, or it waits for one. */
static void
put(struct ask *a)
{
	const struct ipc_desc *d = ipc_desc(a->type);
	_Alignas(16) uint8_t m[IPC_STRUCT_MAX];
	uint64_t now = clock_mono_us();

	bug_on(d == NULL ||
	    rec_decode(
		d->fields, REC_EXACT, a->req.p, a->req.len, m, sizeof(m)) < 0);
	a->peer = service_peer(a->role, 0);
	if (peer_call(a->peer, a->type, m, a->fd, a->until_us - now, on_reply,
		a, &a->call) < 0) {
		a->call = 0;
		wait_for_process(a);
	}
}

int
ask_new(struct ask **out, enum role role, enum ipc_type type, const void *req,
    int fd, peer_reply_fn *fn, void *arg)
{
	const struct ipc_desc *d = ipc_desc(type);
	struct ask *a = mem_alloc(sizeof(*a));
	int r;

	bug_on(d == NULL);
	*a = (struct ask){ .role = role,
		.type = type,
		.fd = -1,
		.until_us = clock_mono_us() + conf()->smtpd_service_timeout,
		.fn = fn,
		.arg = arg };
	r = rec_encode(&a->req, d->fields, req);
	if (r == 0 && fd >= 0) {
		a->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		r = a->fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		ask_free(a);
		return r;
	}
	*out = a;
	put(a);
	return 0;
}

void
ask_cancel(struct ask **ap)
{
	struct ask *a = *ap;

	if (a == NULL) {
		return;
	}
	*ap = NULL;
	if (a->call != 0) {
		peer_call_cancel(a->peer, a->call);
	} else {
		LIST_REMOVE(a, link);
	}
	ask_free(a);
}

void
ask_again(void)
{
	LIST_HEAD(, ask) all = LIST_HEAD_INITIALIZER(all);
	uint64_t now = clock_mono_us();
	struct ask *a;

	while ((a = LIST_FIRST(&waiting)) != NULL) {
		LIST_REMOVE(a, link);
		LIST_INSERT_HEAD(&all, a, link);
	}
	/* A callback may cancel others: each stands in one of the lists. */
	while ((a = LIST_FIRST(&all)) != NULL) {
		LIST_REMOVE(a, link);
		if (now < a->until_us) {
			put(a);
		} else {
			finish(a, (enum ipc_type)0, NULL);
		}
	}
}

void
ask_fini(void)
{
	loop_timer_free(&retry);
}
