#include "bigfile.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "loop.h"
#include "peer.h"
#include "service.h"
#include "spool.h"

/* Emptied files kept for the next big messages. */
#define SPARE_MAX 8

enum job { JOB_NONE, JOB_WRITE, JOB_SYNC, JOB_EMPTY };

struct bigfile {
	struct bigfile *next; /* in a queue of the helper thread */
	bigfile_fn *fn;
	void *arg;
	int fd;
	uint64_t number;
	uint64_t len;
	uint32_t call; /* the request to master; 0: none */
	bool is_ready; /* the file is there */
	bool is_closed;
	bool is_kept;
	struct loop_defer late; /* an answer not given from within */
	int late_status;
	enum job job;
	struct buf data;
	int status; /* of the job, from the helper thread */
};

struct spare {
	int fd;
	uint64_t number;
};

static struct spare spares[SPARE_MAX];
static unsigned n_spares;

/* Shared with the helper thread, under lock. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct bigfile *todo, **todo_tail;
	struct bigfile *done, **done_tail;
	bool is_ending;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER };

static pthread_t thread;
static bool has_thread;
static int event_fd = -1;
static struct loop_io *event_io;

/* ---- the helper thread -------------------------------------------------- */

static int
write_all(int fd, const struct buf *data, uint64_t off)
{
	size_t at = 0;

	while (at < data->len) {
		ssize_t n =
		    pwrite(fd, data->p + at, data->len - at, (off_t)(off + at));

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? -errno : -EIO;
		}
		at += (size_t)n;
	}
	return 0;
}

static int
do_job(const struct bigfile *b)
{
	switch (b->job) {
	case JOB_WRITE:
		return write_all(b->fd, &b->data, b->len);
	case JOB_SYNC:
		/* A failure is never tried again: the kernel may have let go
		 * of the pages (as with segments). */
		return fdatasync(b->fd) < 0 ? -EIO : 0;
	case JOB_EMPTY:
		return ftruncate(b->fd, 0) < 0 ? -errno : 0;
	case JOB_NONE:
		break;
	}
	return 0;
}

static void
push(struct bigfile ***tail, struct bigfile *b)
{
	b->next = NULL;
	**tail = b;
	*tail = &b->next;
}

static void *
helper(void *arg)
{
	const uint64_t one = 1;

	(void)arg;
	(void)pthread_mutex_lock(&shared.lock);
	for (;;) {
		struct bigfile *b;

		while (shared.todo == NULL && !shared.is_ending) {
			(void)pthread_cond_wait(&shared.wake, &shared.lock);
		}
		b = shared.todo;
		if (b == NULL) {
			break;
		}
		shared.todo = b->next;
		if (shared.todo == NULL) {
			shared.todo_tail = &shared.todo;
		}
		(void)pthread_mutex_unlock(&shared.lock);
		b->status = do_job(b);
		(void)pthread_mutex_lock(&shared.lock);
		push(&shared.done_tail, b);
		(void)!write(event_fd, &one, sizeof(one));
	}
	(void)pthread_mutex_unlock(&shared.lock);
	return NULL;
}

/* ---- in the loop -------------------------------------------------------- */

static void
free_file(struct bigfile *b)
{
	if (b->fd >= 0) {
		(void)close(b->fd);
	}
	loop_defer_cancel(&b->late);
	buf_fini(&b->data);
	free(b);
}

/* Emptied: the next big message may have it, or it is let go. */
static void
retire(struct bigfile *b)
{
	if (b->status == 0 && n_spares < SPARE_MAX) {
		spares[n_spares++] = (struct spare){ b->fd, b->number };
		b->fd = -1;
	}
	free_file(b);
}

static void start_job(struct bigfile *b, enum job job);

/* Closed, and the helper thread does not hold it. */
static void
close_now(struct bigfile *b)
{
	if (b->is_kept || b->fd < 0) {
		free_file(b);
	} else {
		start_job(b, JOB_EMPTY);
	}
}

static void
job_done(struct bigfile *b)
{
	enum job job = b->job;

	b->job = JOB_NONE;
	if (job == JOB_WRITE && b->status == 0) {
		b->len += b->data.len;
	}
	buf_fini(&b->data);
	if (job == JOB_EMPTY) {
		retire(b);
	} else if (b->is_closed) {
		close_now(b);
	} else {
		b->fn(b->arg, b->status);
	}
}

static void
on_event(void *arg, unsigned ready)
{
	struct bigfile *b;
	uint64_t count;

	(void)arg;
	(void)ready;
	(void)!read(event_fd, &count, sizeof(count));
	(void)pthread_mutex_lock(&shared.lock);
	b = shared.done;
	shared.done = NULL;
	shared.done_tail = &shared.done;
	(void)pthread_mutex_unlock(&shared.lock);
	while (b != NULL) {
		struct bigfile *next = b->next;

		job_done(b);
		b = next;
	}
}

static void
start_thread(void)
{
	sigset_t all, before;

	shared.todo_tail = &shared.todo;
	shared.done_tail = &shared.done;
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bug_on(event_fd < 0);
	event_io = loop_io_new(event_fd, LOOP_READ, on_event, NULL);
	/* Signals are the loop's business. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	bug_on(pthread_create(&thread, NULL, helper, NULL) != 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	has_thread = true;
}

static void
start_job(struct bigfile *b, enum job job)
{
	if (!has_thread) {
		start_thread();
	}
	b->job = job;
	(void)pthread_mutex_lock(&shared.lock);
	push(&shared.todo_tail, b);
	(void)pthread_cond_signal(&shared.wake);
	(void)pthread_mutex_unlock(&shared.lock);
}

static void
tell_late(void *arg)
{
	struct bigfile *b = arg;

	b->is_ready = b->late_status == 0;
	b->fn(b->arg, b->late_status);
}

static void
tell(struct bigfile *b, int status)
{
	b->late_status = status;
	loop_defer(&b->late, tell_late, b);
}

static void
got_file(void *arg, enum ipc_type type, const void *m)
{
	struct bigfile *b = arg;
	const struct ipc_file_rep *rep = m;
	int fd = -1;

	b->call = 0;
	if (type == IPC_file_rep && rep->status == 0) {
		fd = peer_take_fd(service_master());
	}
	if (fd < 0) {
		int status = type == IPC_file_rep && rep->status != 0
		    ? -(int)rep->status
		    : -EIO;

		log_warn("no file for a big message: %s", strerror(-status));
		tell(
		    b, status == -ENOSPC || status == -EDQUOT ? -ENOSPC : -EIO);
		return;
	}
	b->fd = fd;
	b->number = rep->segid;
	tell(b, 0);
}

struct bigfile *
bigfile_open(bigfile_fn *fn, void *arg)
{
	struct bigfile *b = mem_alloc(sizeof(*b));
	struct ipc_file_req req = { .kind = SPOOL_BIG };

	b->fn = fn;
	b->arg = arg;
	b->fd = -1;
	if (n_spares > 0) {
		n_spares--;
		b->fd = spares[n_spares].fd;
		b->number = spares[n_spares].number;
		tell(b, 0);
	} else if (peer_call(service_master(), IPC_file_req, &req, -1,
		       conf()->smtpd_service_timeout, got_file, b,
		       &b->call) < 0) {
		tell(b, -EIO);
	}
	return b;
}

bool
bigfile_is_idle(const struct bigfile *b)
{
	return b->is_ready && b->job == JOB_NONE;
}

void
bigfile_write(struct bigfile *b, struct buf *data)
{
	bug_on(!bigfile_is_idle(b));
	buf_move(&b->data, data);
	start_job(b, JOB_WRITE);
}

void
bigfile_sync(struct bigfile *b)
{
	bug_on(!bigfile_is_idle(b));
	start_job(b, JOB_SYNC);
}

uint64_t
bigfile_number(const struct bigfile *b)
{
	return b->number;
}

void
bigfile_close(struct bigfile **bp, bool is_kept)
{
	struct bigfile *b = *bp;

	*bp = NULL;
	if (b == NULL) {
		return;
	}
	b->is_closed = true;
	b->is_kept = is_kept;
	loop_defer_cancel(&b->late);
	if (b->call != 0) {
		struct peer *p = service_master();

		if (p != NULL) {
			peer_call_cancel(p, b->call);
		}
		b->call = 0;
	}
	if (b->job == JOB_NONE) {
		close_now(b);
	}
}

void
bigfile_fini(void)
{
	if (has_thread) {
		(void)pthread_mutex_lock(&shared.lock);
		shared.is_ending = true;
		(void)pthread_cond_signal(&shared.wake);
		(void)pthread_mutex_unlock(&shared.lock);
		(void)pthread_join(thread, NULL);
		while (shared.done != NULL) {
			struct bigfile *b = shared.done;

			shared.done = b->next;
			free_file(b);
		}
		loop_io_free(&event_io);
		(void)close(event_fd);
		event_fd = -1;
		has_thread = false;
		shared.is_ending = false;
	}
	while (n_spares > 0) {
		(void)close(spares[--n_spares].fd);
	}
}
