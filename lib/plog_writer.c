#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "loop.h"
#include "plog.h"
#include "plog_commit.h"
#include "plog_format.h"

struct entry {
	plog_done_fn *done;
	void *arg;
	uint32_t rec_off; /* of its header, from the batch's records */
};

/* A wait that was in vain is halved down to this part of wait_us. */
#define PATIENCE_LEAST 16

struct plog_writer {
	struct plog_config c;
	struct plog_file *current;
	struct plog_file *spare;    /* a list */
	struct plog_batch *forming; /* a list: the last one takes records */
	struct plog_batch *in_flight;
	size_t pending;
	bool is_asked; /* need_file was called */
	struct plog_stats stats;
	struct loop_defer kick;
	struct loop_timer *wait;
	uint64_t patience_us; /* the longest wait that pays, by experience */
	uint32_t n_before;    /* records when the wait began */
	bool is_waiting;
	struct loop_io *io;
	int event;
	/* shared with the helper thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct plog_batch *job;
	bool is_ending;
};

static void submit(struct plog_writer *w);

/* ---- the helper thread -------------------------------------------------- */

static void *
helper(void *arg)
{
	struct plog_writer *w = arg;
	const uint64_t one = 1;

	(void)pthread_mutex_lock(&w->lock);
	for (;;) {
		struct plog_batch *b;

		while (w->job == NULL && !w->is_ending) {
			(void)pthread_cond_wait(&w->wake, &w->lock);
		}
		b = w->job;
		if (b == NULL) {
			break;
		}
		w->job = NULL;
		(void)pthread_mutex_unlock(&w->lock);
		plog_commit(b, w->c.kind);
		(void)!write(w->event, &one, sizeof(one));
		(void)pthread_mutex_lock(&w->lock);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- files -------------------------------------------------------------- */

static void
file_free_if_done(struct plog_writer *w, struct plog_file *f)
{
	if (f->is_sealed && f->batches == 0) {
		if (w->c.durable != NULL) {
			w->c.durable(w->c.arg, f->segid,
			    f->has_header ? f->off : 0, true);
		}
		(void)close(f->fd);
		free(f);
	}
}

static void
seal_current(struct plog_writer *w)
{
	struct plog_file *f = w->current;

	if (f != NULL) {
		w->current = NULL;
		f->is_sealed = true;
		file_free_if_done(w, f);
	}
}

static void
ask_for_file(struct plog_writer *w)
{
	if (!w->is_asked && w->spare == NULL) {
		w->is_asked = true;
		w->c.need_file(w->c.arg);
	}
}

/* The file for the next record. 0 or -EAGAIN. */
static int
choose_file(struct plog_writer *w)
{
	if (w->current != NULL &&
	    (w->current->is_bad || w->current->off >= w->c.file_size)) {
		seal_current(w);
	}
	if (w->current == NULL && w->spare == NULL) {
		ask_for_file(w);
	}
	if (w->current == NULL && w->spare != NULL) {
		w->current = w->spare;
		w->spare = w->current->next;
		w->current->next = NULL;
		ask_for_file(w); /* the next one in good time */
	}
	return w->current != NULL ? 0 : -EAGAIN;
}

void
plog_writer_add_file(struct plog_writer *w, int fd, uint64_t segid)
{
	struct plog_file *f = mem_alloc(sizeof(*f)), **at = &w->spare;

	*f = (struct plog_file){
		.fd = fd, .segid = segid, .off = PLOG_FILE_HEADER
	};
	while (*at != NULL) {
		at = &(*at)->next;
	}
	*at = f;
	w->is_asked = false;
}

void
plog_writer_seal(struct plog_writer *w)
{
	for (struct plog_batch *b = w->forming; b != NULL; b = b->next) {
		b->is_closed = true;
	}
	seal_current(w);
	plog_writer_kick(w);
}

/* ---- forming batches ---------------------------------------------------- */

static struct plog_batch *
last_forming(const struct plog_writer *w)
{
	struct plog_batch *b = w->forming;

	while (b != NULL && b->next != NULL) {
		b = b->next;
	}
	return b;
}

/* The batch that takes the next record, or NULL without a file. */
static struct plog_batch *
open_batch(struct plog_writer *w)
{
	struct plog_batch *last = last_forming(w), *b;

	if (last != NULL && !last->is_closed && !last->file->is_bad) {
		return last;
	}
	if (choose_file(w) < 0) {
		return NULL;
	}
	b = mem_alloc(sizeof(*b));
	b->file = w->current;
	b->file->batches++;
	b->first = b->file->index;
	if (last != NULL) {
		last->next = b;
	} else {
		w->forming = b;
	}
	return b;
}

int
plog_writer_next(struct plog_writer *w, uint64_t *segid, uint32_t *index)
{
	struct plog_batch *b = open_batch(w);

	if (b == NULL) {
		return -EAGAIN;
	}
	*segid = b->file->segid;
	*index = b->file->index;
	return 0;
}

static void
batch_free(struct plog_batch *b)
{
	buf_fini(&b->recs);
	buf_fini(&b->entries);
	buf_fini(&b->iov);
	free(b);
}

static void
on_wait_over(void *arg)
{
	plog_writer_kick(arg);
}

/*
 * When a batch is committed. While another one is being synced, it grows: that
 * costs nobody anything. Then it leaves at once unless more records are
 * expected: so a client alone waits for one sync and no more. Else it waits
 * until all who are expected have come, which makes one sync of what a busy
 * machine has under way; but no longer than its patience. That is wait_us,
 * halved each time nobody came in a wait: a client that is slow to finish its
 * message holds the others up a few times, not always.
 */
static void
kick_late(void *arg)
{
	struct plog_writer *w = arg;
	struct plog_batch *b = w->forming;

	if (b == NULL || b->n == 0 || w->in_flight != NULL) {
		return;
	}
	if (b->is_closed || w->c.wait_us == 0 || w->c.expected == NULL ||
	    w->c.expected(w->c.arg) == 0) {
		submit(w);
	} else if (!w->is_waiting) {
		w->is_waiting = true;
		w->n_before = b->n;
		loop_timer_arm(w->wait, w->patience_us);
	}
}

/* A wait is over: has it paid? */
static void
note_wait(struct plog_writer *w, const struct plog_batch *b)
{
	uint64_t least = w->c.wait_us / PATIENCE_LEAST + 1;

	w->is_waiting = false;
	loop_timer_stop(w->wait);
	if (!w->c.is_adaptive || b->n > w->n_before) {
		w->patience_us = w->c.wait_us;
	} else if (w->patience_us / 2 > least) {
		w->patience_us /= 2;
	} else {
		w->patience_us = least;
	}
}

void
plog_writer_look(struct plog_writer *w)
{
	if (w->is_waiting) {
		loop_defer_late(&w->kick, kick_late, w);
	}
}

int
plog_append(struct plog_writer *w, uint16_t type, const void *rec, size_t len,
    const struct iovec *content, int n, plog_done_fn *done, void *arg)
{
	struct plog_batch *b = open_batch(w);
	struct entry e = { done, arg, 0 };
	struct plog_record_header h = { .len = (uint32_t)len, .type = type };

	if (b == NULL) {
		return -EAGAIN;
	}
	for (int i = 0; i < n; i++) {
		h.content_len += (uint32_t)content[i].iov_len;
		if (content[i].iov_len != 0) {
			buf_add(&b->iov, &content[i], sizeof(content[i]));
		}
	}
	h.content_off = (uint32_t)b->content_len;
	b->content_len += h.content_len;
	e.rec_off = (uint32_t)b->recs.len;
	buf_add(&b->recs, &h, sizeof(h));
	buf_add(&b->recs, rec, len);
	buf_zero(&b->recs, plog_pad(len, 8) - len);
	buf_add(&b->entries, &e, sizeof(e));
	b->n++;
	b->file->index++;
	w->pending++;
	if (b->n >= w->c.batch_records ||
	    b->recs.len + b->content_len >= w->c.batch_bytes) {
		b->is_closed = true;
	}
	loop_defer_late(&w->kick, kick_late, w);
	return 0;
}

size_t
plog_writer_pending(const struct plog_writer *w)
{
	return w->pending;
}

/* ---- batches to the thread and back ------------------------------------- */

/* Calls back for each record, then forgets the batch. */
static void
finish(struct plog_writer *w, struct plog_batch *b, int status)
{
	struct plog_file *f = b->file;
	size_t n = b->entries.len / sizeof(struct entry);

	w->pending -= n;
	if (status == 0) {
		f->has_header = true;
		f->off += b->total;
		w->stats.records += n;
		w->stats.bytes += b->total;
		if (w->c.durable != NULL && !f->is_sealed) {
			w->c.durable(w->c.arg, f->segid, f->off, false);
		}
	}
	for (size_t i = 0; i < n; i++) {
		struct entry e;

		memcpy(&e, b->entries.p + i * sizeof(e), sizeof(e));
		e.done(e.arg, status, f->segid,
		    b->off + PLOG_BATCH_HEADER + e.rec_off);
	}
	f->batches--;
	file_free_if_done(w, f);
	batch_free(b);
}

/* Batches that were to follow one whose file can no longer be trusted. */
static void
fail_batches_of(struct plog_writer *w, const struct plog_file *f)
{
	struct plog_batch **at = &w->forming;

	while (*at != NULL) {
		struct plog_batch *b = *at;

		if (b->file == f) {
			*at = b->next;
			finish(w, b, -EIO);
		} else {
			at = &b->next;
		}
	}
}

static void
on_done(void *arg, unsigned ready)
{
	struct plog_writer *w = arg;
	struct plog_batch *b = w->in_flight;
	uint64_t count;
	int status;

	(void)ready;
	if (read(w->event, &count, sizeof(count)) != (ssize_t)sizeof(count) ||
	    b == NULL) {
		return;
	}
	w->in_flight = NULL;
	w->stats.batches++;
	status = b->status;
	if (b->is_sync_failed) {
		struct plog_file *f = b->file;

		f->is_bad = true;
		f->batches++; /* keep it until all of its batches are told */
		finish(w, b, status);
		fail_batches_of(w, f);
		f->batches--;
		file_free_if_done(w, f);
	} else {
		finish(w, b, status);
	}
	kick_late(w);
}

static void
submit(struct plog_writer *w)
{
	struct plog_batch *b = w->forming;

	if (w->is_waiting) {
		note_wait(w, b);
	}
	w->forming = b->next;
	b->next = NULL;
	b->off = b->file->off;
	b->time_us = clock_wall_us();
	w->in_flight = b;
	(void)pthread_mutex_lock(&w->lock);
	w->job = b;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->lock);
}

void
plog_writer_kick(struct plog_writer *w)
{
	if (w->in_flight == NULL && w->forming != NULL && w->forming->n != 0) {
		submit(w);
	}
}

struct plog_writer *
plog_writer_new(const struct plog_config *c)
{
	struct plog_writer *w = mem_alloc(sizeof(*w));
	sigset_t all, before;

	w->c = *c;
	w->patience_us = c->wait_us;
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bug_on(w->event < 0);
	w->io = loop_io_new(w->event, LOOP_READ, on_done, w);
	w->wait = loop_timer_new(on_wait_over, w);
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->wake, NULL);
	/* Signals are the loop's business. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	bug_on(pthread_create(&w->thread, NULL, helper, w) != 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return w;
}

void
plog_writer_free(struct plog_writer **wp)
{
	struct plog_writer *w = *wp;

	if (w == NULL) {
		return;
	}
	*wp = NULL;
	(void)pthread_mutex_lock(&w->lock);
	w->is_ending = true;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->thread, NULL);
	loop_defer_cancel(&w->kick);
	if (w->in_flight != NULL) {
		struct plog_batch *b = w->in_flight;

		w->in_flight = NULL;
		finish(w, b, b->status);
	}
	while (w->forming != NULL) {
		struct plog_batch *b = w->forming;

		w->forming = b->next;
		finish(w, b, -ECANCELED);
	}
	seal_current(w);
	while (w->spare != NULL) {
		struct plog_file *f = w->spare;

		w->spare = f->next;
		(void)close(f->fd);
		free(f);
	}
	loop_io_free(&w->io);
	loop_timer_free(&w->wait);
	(void)close(w->event);
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_cond_destroy(&w->wake);
	free(w);
}

void
plog_writer_stats(const struct plog_writer *w, struct plog_stats *out)
{
	*out = w->stats;
}
