#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "crc32c.h"
#include "loop.h"
#include "plog.h"
#include "plog_format.h"

#define IOV_PER_WRITE 512

/* A file being filled. Freed when it is sealed and no batch refers to it. */
struct file {
	int fd;
	uint64_t segid;
	uint64_t off;	  /* where the next batch goes */
	uint32_t index;	  /* of the next record */
	unsigned batches; /* formed or in flight */
	bool has_header;
	bool is_sealed;
	bool is_bad; /* a sync failed: never written again */
	struct file *next;
};

struct entry {
	plog_done_fn *done;
	void *arg;
	uint32_t rec_off; /* of its header, from the batch's records */
};

struct batch {
	struct batch *next;
	struct file *file;
	struct buf recs;
	struct buf entries; /* struct entry */
	struct buf iov;	    /* struct iovec of the contents */
	uint64_t content_len;
	uint32_t n;
	uint32_t first;
	uint64_t time_us; /* when it was given to the helper thread */
	bool is_closed;
	/* filled in by the helper thread */
	uint64_t off;
	uint64_t total;
	int status;
	bool is_sync_failed;
};

struct plog_writer {
	struct plog_config c;
	struct file *current;
	struct file *spare;    /* a list */
	struct batch *forming; /* a list: the last one takes records */
	struct batch *in_flight;
	size_t pending;
	bool is_asked; /* need_file was called */
	struct plog_stats stats;
	struct loop_defer kick;
	struct loop_timer *wait;
	struct loop_io *io;
	int event;
	/* shared with the helper thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct batch *job;
	bool is_ending;
};

static void submit(struct plog_writer *w);

/* ---- the helper thread -------------------------------------------------- */

/* Writes all of iov at off (both are used up). 0 or -errno. */
static int
write_all(int fd, struct iovec *iov, size_t n, uint64_t off)
{
	while (n != 0) {
		int count = n < IOV_PER_WRITE ? (int)n : IOV_PER_WRITE;
		ssize_t done = pwritev(fd, iov, count, (off_t)off);

		if (done < 0 && errno == EINTR) {
			continue;
		}
		if (done <= 0) {
			return done < 0 ? -errno : -EIO;
		}
		off += (uint64_t)done;
		while (n != 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n != 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

/* Fills in the checksums that only the final place makes possible. */
static void
seal_records(struct batch *b)
{
	struct iovec *iov = (struct iovec *)(void *)b->iov.p;
	size_t at = 0, piece = 0;

	while (at < b->recs.len) {
		struct plog_record_header h;
		uint32_t left;

		memcpy(&h, b->recs.p + at, sizeof(h));
		h.crc =
		    plog_crc(b->file->segid, b->recs.p + at + sizeof(h), h.len);
		/* a checksum continues from piece to piece: seed is the crc */
		h.content_crc = plog_seed(b->file->segid);
		for (left = h.content_len; left != 0; piece++) {
			h.content_crc = crc32c(h.content_crc,
			    iov[piece].iov_base, iov[piece].iov_len);
			left -= (uint32_t)iov[piece].iov_len;
		}
		memcpy(b->recs.p + at, &h, sizeof(h));
		at += sizeof(h) + plog_pad(h.len, 8);
	}
}

static int
write_batch(struct batch *b, enum plog_kind kind)
{
	static const uint8_t zeros[PLOG_ALIGN];
	size_t pieces = b->iov.len / sizeof(struct iovec);
	uint64_t end = PLOG_BATCH_HEADER + b->recs.len + b->content_len;
	struct plog_batch_header h = {
		.magic = PLOG_BATCH_MAGIC,
		.segid = b->file->segid,
		.off = b->off,
		.committed = b->off,
		.time_us = b->time_us,
		.total = (uint32_t)plog_pad(end, PLOG_ALIGN),
		.rec_len = (uint32_t)b->recs.len,
		.first = b->first,
		.n_records = b->n,
	};
	struct iovec *iov = mem_alloc((pieces + 3) * sizeof(*iov));
	int r = 0;

	seal_records(b);
	h.rec_crc = plog_crc(b->file->segid, b->recs.p, b->recs.len);
	plog_batch_header_seal(&h);
	b->total = h.total;
	iov[0] = (struct iovec){ &h, sizeof(h) };
	iov[1] = (struct iovec){ b->recs.p, b->recs.len };
	if (pieces != 0) {
		memcpy(iov + 2, b->iov.p, pieces * sizeof(*iov));
	}
	iov[pieces + 2] =
	    (struct iovec){ (void *)(uintptr_t)zeros, h.total - end };
	if (!b->file->has_header) {
		uint8_t head[PLOG_FILE_HEADER] = { 0 };
		struct plog_file_header f;
		struct iovec one = { head, sizeof(head) };

		plog_file_header_make(&f, b->file->segid, kind, b->time_us);
		memcpy(head, &f, sizeof(f));
		r = write_all(b->file->fd, &one, 1, 0);
	}
	if (r == 0) {
		r = write_all(b->file->fd, iov, pieces + 3, b->off);
	}
	free(iov);
	return r;
}

static void
commit(struct batch *b, enum plog_kind kind)
{
	int r = write_batch(b, kind);

	if (r < 0) {
		/* Nothing of it is acknowledged; without its bytes the file
		 * is as good as before. */
		b->is_sync_failed = ftruncate(b->file->fd, (off_t)b->off) < 0;
		b->status = r == -ENOSPC || r == -EDQUOT || r == -EFBIG
		    ? -ENOSPC
		    : -EIO;
	} else if (fdatasync(b->file->fd) < 0) {
		/* The kernel may have dropped the pages: asking again would
		 * say yes without meaning it. */
		b->is_sync_failed = true;
		b->status = -EIO;
	}
}

static void *
helper(void *arg)
{
	struct plog_writer *w = arg;
	const uint64_t one = 1;

	(void)pthread_mutex_lock(&w->lock);
	for (;;) {
		struct batch *b;

		while (w->job == NULL && !w->is_ending) {
			(void)pthread_cond_wait(&w->wake, &w->lock);
		}
		b = w->job;
		if (b == NULL) {
			break;
		}
		w->job = NULL;
		(void)pthread_mutex_unlock(&w->lock);
		commit(b, w->c.kind);
		(void)!write(w->event, &one, sizeof(one));
		(void)pthread_mutex_lock(&w->lock);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- files -------------------------------------------------------------- */

static void
file_free_if_done(struct plog_writer *w, struct file *f)
{
	if (f->is_sealed && f->batches == 0) {
		if (w->c.durable != NULL && f->has_header) {
			w->c.durable(w->c.arg, f->segid, f->off, true);
		}
		(void)close(f->fd);
		free(f);
	}
}

static void
seal_current(struct plog_writer *w)
{
	struct file *f = w->current;

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
	struct file *f = mem_alloc(sizeof(*f)), **at = &w->spare;

	*f = (struct file){ .fd = fd, .segid = segid, .off = PLOG_FILE_HEADER };
	while (*at != NULL) {
		at = &(*at)->next;
	}
	*at = f;
	w->is_asked = false;
}

void
plog_writer_seal(struct plog_writer *w)
{
	for (struct batch *b = w->forming; b != NULL; b = b->next) {
		b->is_closed = true;
	}
	seal_current(w);
	plog_writer_kick(w);
}

/* ---- forming batches ---------------------------------------------------- */

static struct batch *
last_forming(const struct plog_writer *w)
{
	struct batch *b = w->forming;

	while (b != NULL && b->next != NULL) {
		b = b->next;
	}
	return b;
}

/* The batch that takes the next record, or NULL without a file. */
static struct batch *
open_batch(struct plog_writer *w)
{
	struct batch *last = last_forming(w), *b;

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
	struct batch *b = open_batch(w);

	if (b == NULL) {
		return -EAGAIN;
	}
	*segid = b->file->segid;
	*index = b->file->index;
	return 0;
}

static void
batch_free(struct batch *b)
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

static void
kick_late(void *arg)
{
	struct plog_writer *w = arg;
	struct batch *b = w->forming;

	if (b == NULL || b->n == 0 || w->in_flight != NULL) {
		return;
	}
	if (b->is_closed || w->c.wait_us == 0 || w->c.expected == NULL ||
	    w->c.expected(w->c.arg) == 0) {
		submit(w);
	} else if (!loop_timer_is_armed(w->wait)) {
		loop_timer_arm(w->wait, w->c.wait_us);
	}
}

int
plog_append(struct plog_writer *w, uint16_t type, const void *rec, size_t len,
    const struct iovec *content, int n, plog_done_fn *done, void *arg)
{
	struct batch *b = open_batch(w);
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
finish(struct plog_writer *w, struct batch *b, int status)
{
	struct file *f = b->file;
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
fail_batches_of(struct plog_writer *w, const struct file *f)
{
	struct batch **at = &w->forming;

	while (*at != NULL) {
		struct batch *b = *at;

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
	struct batch *b = w->in_flight;
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
		struct file *f = b->file;

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
	struct batch *b = w->forming;

	loop_timer_stop(w->wait);
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
		struct batch *b = w->in_flight;

		w->in_flight = NULL;
		finish(w, b, b->status);
	}
	while (w->forming != NULL) {
		struct batch *b = w->forming;

		w->forming = b->next;
		finish(w, b, -ECANCELED);
	}
	seal_current(w);
	while (w->spare != NULL) {
		struct file *f = w->spare;

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
