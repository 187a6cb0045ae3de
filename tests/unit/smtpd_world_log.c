/* The log and the big files of the world: kept in memory, never on disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bigfile.h"
#include "loop.h"
#include "plog.h"
#include "smtpd_world.h"

struct entry {
	plog_done_fn *done;
	void *arg;
};

struct plog_writer {
	struct plog_config c;
	unsigned files;
	uint32_t index;
	struct entry *given;
	size_t n_given;
	struct loop_defer defer;
};

static struct plog_writer *the_log;

struct plog_writer *
plog_writer_new(const struct plog_config *c)
{
	the_log = mem_alloc(sizeof(*the_log));
	the_log->c = *c;
	return the_log;
}

void
plog_writer_add_file(struct plog_writer *w, int fd, uint64_t segid)
{
	(void)fd;
	(void)segid;
	w->files++;
}

int
plog_writer_next(struct plog_writer *w, uint64_t *segid, uint32_t *index)
{
	if (w->files == 0) {
		w->c.need_file(w->c.arg);
		return -EAGAIN;
	}
	*segid = WORLD_SEGMENT;
	*index = w->index;
	return 0;
}

void
world_log_done(int status)
{
	struct entry *given = the_log->given;
	size_t n = the_log->n_given;

	the_log->given = NULL;
	the_log->n_given = 0;
	if (status == 0 && n != 0) {
		the_log->c.durable(the_log->c.arg, WORLD_SEGMENT, 4096, false);
	}
	for (size_t i = 0; i < n; i++) {
		given[i].done(given[i].arg, status, WORLD_SEGMENT, 128);
	}
	free(given);
}

static void
commit(void *arg)
{
	(void)arg;
	switch (world.log) {
	case WORLD_LOG_EIO:
		world_log_done(-EIO);
		break;
	case WORLD_LOG_ENOSPC:
		world_log_done(-ENOSPC);
		break;
	case WORLD_LOG_LATE:
		break;
	default:
		world_log_done(0);
		break;
	}
}

static void
keep(const void *rec, size_t len, const struct iovec *content, int n)
{
	struct world_message *m;

	world.messages =
	    mem_resize(world.messages, (world.n_messages + 1) * sizeof(*m));
	m = &world.messages[world.n_messages++];
	*m = (struct world_message){ 0 };
	buf_add(&m->record, rec, len);
	for (int i = 0; i < n; i++) {
		buf_add(&m->content, content[i].iov_base, content[i].iov_len);
	}
	if (event_decode(
		EVENT_accepted, m->record.p, m->record.len, &m->event) < 0) {
		abort();
	}
}

int
plog_append(struct plog_writer *w, uint16_t type, const void *rec, size_t len,
    const struct iovec *content, int n, plog_done_fn *done, void *arg)
{
	if (type != EVENT_accepted) {
		abort();
	}
	keep(rec, len, content, n);
	w->index++;
	w->given = mem_resize(w->given, (w->n_given + 1) * sizeof(*w->given));
	w->given[w->n_given++] = (struct entry){ done, arg };
	loop_defer_late(&w->defer, commit, w);
	return 0;
}

void
plog_writer_look(struct plog_writer *w)
{
	(void)w;
}

size_t
plog_writer_pending(const struct plog_writer *w)
{
	return w->n_given;
}

void
plog_writer_free(struct plog_writer **w)
{
	world_log_done(-ECANCELED);
	loop_defer_cancel(&the_log->defer);
	free(the_log);
	the_log = NULL;
	*w = NULL;
}

/* ---- big files ---------------------------------------------------------- */

struct bigfile {
	bigfile_fn *fn;
	void *arg;
	bool is_idle;
	struct buf data;
	struct loop_defer defer;
};

static void
bigfile_done(void *arg)
{
	struct bigfile *b = arg;

	b->is_idle = true;
	b->fn(b->arg, world.is_big_failing ? -ENOSPC : 0);
}

struct bigfile *
bigfile_open(bigfile_fn *fn, void *arg)
{
	struct bigfile *b = mem_alloc(sizeof(*b));

	b->fn = fn;
	b->arg = arg;
	loop_defer(&b->defer, bigfile_done, b);
	return b;
}

bool
bigfile_is_idle(const struct bigfile *b)
{
	return b->is_idle;
}

void
bigfile_write(struct bigfile *b, struct buf *data)
{
	b->is_idle = false;
	buf_add(&b->data, data->p, data->len);
	buf_fini(data);
	loop_defer(&b->defer, bigfile_done, b);
}

void
bigfile_sync(struct bigfile *b)
{
	b->is_idle = false;
	loop_defer(&b->defer, bigfile_done, b);
}

uint64_t
bigfile_number(const struct bigfile *b)
{
	(void)b;
	return 77;
}

void
bigfile_close(struct bigfile **bp, bool is_kept)
{
	struct bigfile *b = *bp;

	*bp = NULL;
	if (b == NULL) {
		return;
	}
	if (is_kept && world.n_messages != 0) {
		struct world_message *m = &world.messages[world.n_messages - 1];

		if (m->event.big_len != b->data.len ||
		    m->event.big_crc != plog_crc(0, b->data.p, b->data.len)) {
			abort();
		}
		buf_add(&m->content, b->data.p, b->data.len);
	}
	loop_defer_cancel(&b->defer);
	buf_fini(&b->data);
	free(b);
}

void
bigfile_fini(void)
{
}
