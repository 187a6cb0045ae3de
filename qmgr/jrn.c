#include "jrn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "disk.h"
#include "loop.h"

#define BATCH_BYTES (1024 * 1024)
#define BATCH_RECORDS 4096
#define RETRY_US US_PER_S
/* Each try with a disk that fails leaves a file behind. */
#define RETRY_MAX_US (16 * US_PER_S)
/* A busy journal is synced this often unless journal_sync_time says more:
 * nobody waits for one record, and each sync costs all who use the disk. */
#define SHARE_US (20 * US_PER_MS)
/* The memory of the queue that stays when a burst is over. */
#define KEEP_BYTES (4u * 1024 * 1024)

/*
 * Records stay in a queue of bytes until they are durable, so that they can
 * be written again. A place in the queue is counted from its very beginning,
 * so it stays true when the front is dropped.
 */
struct entry {
	uint32_t len; /* of the record behind, bytes */
	uint16_t type;
	uint8_t state; /* enum entry_state */
	uint8_t zero;
	jrn_done_fn *done;
	uint64_t a;
	uint64_t b;
};

/* ENTRY_MARK: no record, only a callback (jrn_after). */
enum entry_state { ENTRY_WAITS, ENTRY_SENT, ENTRY_DONE, ENTRY_MARK };

struct jrn {
	struct jrn_config c;
	struct disk *disk;
	struct plog_writer *writer;
	struct loop_timer *retry;
	struct buf queue;
	uint64_t front; /* place of queue.p[0] */
	uint64_t head;	/* of the first entry that is not ENTRY_DONE */
	uint64_t next;	/* of the entry whose end is told next */
	size_t waiting; /* entries in ENTRY_WAITS */
	size_t sent;	/* entries in ENTRY_SENT */
	uint32_t number;
	uint64_t durable;
	uint64_t synced_us; /* when that was told */
	uint64_t retry_us;  /* until the next try; doubles */
	bool is_broken;
	bool is_making_file;
	bool has_file; /* that was not given up */
	bool is_closing;
};

static size_t
padded(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static struct entry *
entry_at(struct jrn *j, uint64_t place)
{
	bug_on(place - j->front >= j->queue.len);
	return (struct entry *)(void *)(j->queue.p + (place - j->front));
}

static uint64_t
entry_size(const struct entry *e)
{
	return sizeof(*e) + padded(e->len);
}

static uint64_t
queue_end(const struct jrn *j)
{
	return j->front + j->queue.len;
}

static void
set_state(struct jrn *j, bool is_ok, const char *reason)
{
	if (j->is_broken == !is_ok) {
		return;
	}
	j->is_broken = !is_ok;
	j->retry_us = RETRY_US;
	if (j->c.state != NULL) {
		j->c.state(j->c.arg, is_ok, reason);
	}
}

static void
skip_marks(struct jrn *j)
{
	while (j->next < queue_end(j) &&
	    entry_at(j, j->next)->state == ENTRY_MARK) {
		j->next += entry_size(entry_at(j, j->next));
	}
}

/* Moves the head over what is done; marks that it meets are called. */
static void
pass_done(struct jrn *j)
{
	while (j->head < queue_end(j)) {
		struct entry e = *entry_at(j, j->head);

		if (e.state != ENTRY_DONE && e.state != ENTRY_MARK) {
			break;
		}
		j->head += entry_size(&e);
		if (e.state == ENTRY_MARK && !j->is_closing) {
			e.done(j->c.arg, 0, e.a, e.b); /* may write */
		}
	}
}

static void
drop_done(struct jrn *j)
{
	size_t n;

	skip_marks(j);
	pass_done(j);
	n = j->head - j->front;
	if (n == j->queue.len) {
		buf_clear(&j->queue, KEEP_BYTES);
	} else if (n > j->queue.len / 2) {
		buf_drop(&j->queue, n);
	} else {
		return; /* moving the rest would cost more than it frees */
	}
	j->front = j->head;
}

static void
fail(struct jrn *j, int status)
{
	set_state(j, false, strerror(-status));
	if (!loop_timer_is_armed(j->retry)) {
		loop_timer_arm(j->retry, j->retry_us);
	}
}

/* Records end in the order they were sent in; entries that wait again stand
 * before next until all others have ended. */
static void
on_done(void *arg, int status, uint64_t segid, uint64_t off)
{
	struct jrn *j = arg;
	struct entry e;

	skip_marks(j);
	e = *entry_at(j, j->next);
	bug_on(e.state != ENTRY_SENT);
	j->sent--;
	if (status < 0 && status != -ECANCELED) {
		entry_at(j, j->next)->state = ENTRY_WAITS;
		j->waiting++;
		j->next += entry_size(&e);
		fail(j, status);
		return;
	}
	entry_at(j, j->next)->state = ENTRY_DONE;
	j->next += entry_size(&e);
	if (status == 0 && !j->is_closing) {
		if (j->waiting == 0) {
			set_state(j, true, "");
		}
		if (e.done != NULL) {
			e.done(j->c.arg, journal_lsn((uint32_t)segid, off), e.a,
			    e.b);
		}
	}
	drop_done(j);
}

/* Sends what waits, in order; stops when the writer has no file. */
static void
send_waiting(struct jrn *j)
{
	uint64_t at = j->sent == 0 ? j->head : j->next;

	if (j->waiting == 0) {
		return;
	}
	for (; at < queue_end(j); at += entry_size(entry_at(j, at))) {
		struct entry *e = entry_at(j, at);

		if (e->state != ENTRY_WAITS) {
			continue;
		}
		if (plog_append(j->writer, e->type, e + 1, e->len, NULL, 0,
			on_done, j) < 0) {
			return;
		}
		if (j->sent == 0) {
			j->next = at;
		}
		e->state = ENTRY_SENT;
		j->waiting--;
		j->sent++;
	}
}

static void
on_file(void *arg, uint64_t number, int status, int fd)
{
	struct jrn *j = arg;

	j->is_making_file = false;
	if (status == -EEXIST) {
		/* Of a run that died before it wrote to it. */
		j->c.next++;
		status = -EAGAIN;
	}
	if (status < 0) {
		fail(j, status);
		return;
	}
	j->number = (uint32_t)number;
	plog_writer_add_file(j->writer, fd, journal_segid((uint32_t)number));
	j->has_file = true;
	if (j->waiting == 0 && j->sent == 0) {
		/* It was the file itself that could not be made; nobody will
		 * write, and so find that it works again, while we say that
		 * it does not. */
		set_state(j, true, "");
	} else if (!loop_timer_is_armed(j->retry) &&
	    (j->sent == 0 || !j->is_broken)) {
		send_waiting(j);
	}
}

static void
make_file(struct jrn *j)
{
	char path[JOURNAL_NAME_SIZE + 4] = "jrn/";

	if (j->is_making_file) {
		return;
	}
	j->is_making_file = true;
	journal_name(j->c.next, path + 4);
	disk_create(j->disk, path, on_file, j, j->c.next);
	j->c.next++;
}

static void
on_need_file(void *arg)
{
	struct jrn *j = arg;

	/* After a failure the timer asks, or the disk would be asked in
	 * circles. */
	if (!loop_timer_is_armed(j->retry)) {
		make_file(j);
	}
}

static void
on_retry(void *arg)
{
	struct jrn *j = arg;
	uint64_t segid;
	uint32_t index;

	if (j->sent > 0) {
		loop_timer_arm(j->retry, RETRY_US);
		return;
	}
	/* What was written with an error is left behind. */
	plog_writer_seal(j->writer);
	if (j->has_file && j->retry_us < RETRY_MAX_US) {
		j->retry_us *= 2;
	}
	j->has_file = false;
	if (plog_writer_next(j->writer, &segid, &index) < 0) {
		make_file(j);
		return;
	}
	send_waiting(j);
}

static void
on_durable(void *arg, uint64_t segid, uint64_t off, bool is_sealed)
{
	struct jrn *j = arg;
	uint64_t lsn = journal_lsn((uint32_t)segid, off);

	if (off == 0 || j->is_closing) {
		return; /* a file without a durable byte says nothing */
	}
	if (is_sealed && j->c.sealed != NULL) {
		j->c.sealed(j->c.arg, (uint32_t)segid);
	}
	if (lsn <= j->durable) {
		return;
	}
	j->durable = lsn;
	j->synced_us = clock_mono_us();
	if (j->c.durable != NULL) {
		j->c.durable(j->c.arg, lsn);
	}
}

/* The first record after a pause does not wait. */
static unsigned
on_expected(void *arg)
{
	const struct jrn *j = arg;

	return clock_mono_us() - j->synced_us < j->c.wait_us;
}

struct jrn *
jrn_new(const struct jrn_config *c, struct disk *disk)
{
	struct jrn *j = mem_alloc(sizeof(*j));
	struct plog_config pc = {
		.kind = PLOG_JOURNAL,
		.file_size = c->file_size,
		.batch_bytes = BATCH_BYTES,
		.batch_records = BATCH_RECORDS,
		.expected = on_expected,
		.need_file = on_need_file,
		.durable = on_durable,
		.arg = j,
	};

	j->c = *c;
	if (j->c.wait_us == 0) {
		j->c.wait_us = SHARE_US;
	}
	pc.wait_us = j->c.wait_us;
	j->retry_us = RETRY_US;
	j->disk = disk;
	j->retry = loop_timer_new(on_retry, j);
	j->writer = plog_writer_new(&pc);
	make_file(j);
	return j;
}

void
jrn_free(struct jrn **jp)
{
	struct jrn *j = *jp;

	if (j == NULL) {
		return;
	}
	*jp = NULL;
	j->is_closing = true;
	plog_writer_free(&j->writer);
	loop_timer_free(&j->retry);
	buf_fini(&j->queue);
	free(j);
}

/* Where the encoded record goes; finish_entry ends it. */
static uint64_t
begin_entry(struct jrn *j, enum event_type type, jrn_done_fn *done, uint64_t a,
    uint64_t b)
{
	struct entry e = {
		.type = (uint16_t)type,
		.state = ENTRY_WAITS,
		.done = done,
		.a = a,
		.b = b,
	};
	uint64_t place = queue_end(j);

	buf_add(&j->queue, &e, sizeof(e));
	return place;
}

static void
finish_entry(struct jrn *j, uint64_t place)
{
	size_t len = j->queue.len - (place - j->front) - sizeof(struct entry);
	struct entry *e;

	buf_zero(&j->queue, padded(len) - len);
	e = entry_at(j, place);
	e->len = (uint32_t)len;
	j->waiting++;
	if (j->waiting > 1 || j->is_broken) {
		return; /* order is kept: behind those that wait */
	}
	if (plog_append(
		j->writer, e->type, e + 1, e->len, NULL, 0, on_done, j) < 0) {
		return;
	}
	if (j->sent == 0) {
		j->next = place;
	}
	e->state = ENTRY_SENT;
	j->waiting--;
	j->sent++;
}

void
jrn_write(struct jrn *j, enum event_type type, const void *event,
    jrn_done_fn *done, uint64_t a, uint64_t b)
{
	uint64_t place = begin_entry(j, type, done, a, b);

	/* Texts come from messages and records with the same limits. */
	bug_on(event_encode(&j->queue, type, event) < 0);
	finish_entry(j, place);
}

void
jrn_write_raw(struct jrn *j, enum event_type type, struct str rec,
    jrn_done_fn *done, uint64_t a, uint64_t b)
{
	uint64_t place = begin_entry(j, type, done, a, b);

	buf_add(&j->queue, rec.p, rec.len);
	finish_entry(j, place);
}

void
jrn_after(struct jrn *j, jrn_done_fn *done, uint64_t a, uint64_t b)
{
	if (j->head == queue_end(j)) {
		done(j->c.arg, 0, a, b);
		return;
	}
	entry_at(j, begin_entry(j, (enum event_type)0, done, a, b))->state =
	    ENTRY_MARK;
}

bool
jrn_is_ok(const struct jrn *j)
{
	return !j->is_broken;
}

size_t
jrn_pending(const struct jrn *j)
{
	return j->queue.len - (size_t)(j->head - j->front);
}

uint64_t
jrn_position(const struct jrn *j)
{
	return queue_end(j);
}

uint64_t
jrn_settled(const struct jrn *j)
{
	return j->head;
}

uint64_t
jrn_durable(const struct jrn *j)
{
	return j->durable;
}

uint32_t
jrn_number(const struct jrn *j)
{
	return j->number;
}

void
jrn_stats(const struct jrn *j, struct plog_stats *out)
{
	plog_writer_stats(j->writer, out);
}
