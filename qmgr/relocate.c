/*
 * A copy is appended to qmgr's own segment; when it is durable the segment is
 * read like any other, and each record found there becomes the place of its
 * message by a stored event. A copy that nothing names is no mail.
 */
#include "relocate.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core_view.h"
#include "log.h"
#include "plog.h"
#include "qmgr.h"

#define LOOK_US (10 * US_PER_S)
#define RETRY_US US_PER_S
#define MESSAGES_PER_SLICE 200
/* Copies on their way to the disk, bytes. */
#define PENDING_MAX (4u * 1024 * 1024)
#define BATCH_BYTES (1024 * 1024)
#define BATCH_RECORDS 1000

struct relocation {
	struct plog_writer *writer;
	struct loop_timer *look;
	struct loop_timer *slice;
	struct loop_defer read;
	struct seg *own;  /* that is written now */
	uint64_t pending; /* bytes of contents */
	uint32_t at;	  /* core_walk's */
	bool is_walking;
	bool is_asked;
};

/* A content that is being written. */
struct copy {
	struct qmgr *q;
	uint32_t len;
	uint8_t bytes[];
};

/* ---- the copies become places ------------------------------------------- */

static void
become_place(struct qmgr *q, const struct plog_record *rec, uint64_t segid)
{
	struct core_place to = {
		.segid = segid,
		.rec_off = (uint32_t)rec->off,
		.rec_len = (uint32_t)rec->rec.len,
		.content_off = (uint32_t)rec->content_off,
		.content_len = rec->content_len,
		.content_crc = rec->content_crc,
	};
	struct event_stored e = {
		.segid = segid,
		.rec_off = rec->off,
		.rec_len = to.rec_len,
		.content_off = rec->content_off,
		.content_len = rec->content_len,
		.content_crc = rec->content_crc,
	};
	struct event_accepted a;
	struct core_message m;
	uint32_t msg;
	uint32_t n;

	if (event_decode(rec->type, rec->rec.p, rec->rec.len, &a) < 0) {
		return;
	}
	msg = core_find(q->core, &a.msgid);
	if (msg == CORE_NONE || core_message_get(q->core, msg, &m, &n) < 0 ||
	    core_move(q->core, msg, &to) < 0) {
		return; /* finished meanwhile */
	}
	e.msgid = m.id;
	e.accept_lsn = m.accept_lsn;
	qmgr_write(q, EVENT_stored, &e, NULL, 0, 0);
}

static void
read_own(void *arg)
{
	struct qmgr *q = arg;
	struct seg *g = q->relocation->own;
	struct plog_record rec;

	if (g == NULL || segs_read_on(q->segs, g) < 0) {
		return;
	}
	while (plog_reader_batch(&g->reader, g->limit) == 1) {
		while (plog_reader_record(&g->reader, &rec)) {
			become_place(q, &rec, g->segid);
		}
		g->off = g->reader.off;
	}
	turn_wanted(q);
}

static void
on_durable(void *arg, uint64_t segid, uint64_t off, bool is_sealed)
{
	struct qmgr *q = arg;
	struct seg *g = segs_find(q->segs, segid);

	if (g == NULL) {
		return;
	}
	g->limit = off;
	if (is_sealed) {
		/* Read to its end before the next one takes its turn. */
		q->relocation->own = g;
		read_own(q);
		g->is_sealed = true;
		g->is_read = true;
		g->read_us = clock_mono_us();
		release_segment(q, g);
		q->relocation->own = NULL;
		return;
	}
	q->relocation->own = g;
	loop_defer(&q->relocation->read, read_own, q);
}

/* ---- the file ----------------------------------------------------------- */

static void
on_need_file(void *arg)
{
	struct qmgr *q = arg;

	if (!q->relocation->is_asked && q->ask_file != NULL) {
		q->relocation->is_asked = true;
		q->ask_file(q);
	}
}

void
relocate_file(struct qmgr *q, uint32_t status, int fd, uint64_t segid)
{
	struct relocation *r = q->relocation;

	r->is_asked = false;
	if (status != 0) {
		log_warn("no file for copies: %s", strerror((int)status));
		loop_timer_arm(r->slice, RETRY_US);
		return;
	}
	(void)intake_segment(q, segid);
	plog_writer_add_file(r->writer, fd, segid);
	if (r->is_walking) {
		loop_timer_arm(r->slice, 0);
	}
}

static bool
has_file(struct qmgr *q)
{
	uint64_t segid;
	uint32_t index;

	return plog_writer_next(q->relocation->writer, &segid, &index) == 0;
}

/* ---- copying ------------------------------------------------------------ */

static void
on_copied(void *arg, int status, uint64_t segid, uint64_t off)
{
	struct copy *c = arg;

	(void)status; /* what failed stays where it is */
	(void)segid;
	(void)off;
	c->q->relocation->pending -= c->len;
	free(c);
}

static int
read_message(struct qmgr *q, struct seg *g, const struct core_place *p,
    struct buf *record, struct plog_record *rec, struct copy **out)
{
	struct copy *c;
	int r = segs_open(q->segs, g);

	if (r == 0) {
		r = plog_read_record(g->fd, g->segid, p->rec_off, record, rec);
	}
	if (r < 0) {
		return r;
	}
	c = mem_alloc(sizeof(*c) + p->content_len);
	c->q = q;
	c->len = p->content_len;
	r = plog_read_content(g->fd, g->segid, p->content_off, c->bytes,
	    p->content_len, p->content_crc);
	if (r < 0) {
		free(c);
		return r;
	}
	*out = c;
	return 0;
}

static void
copy_message(struct qmgr *q, struct seg *g, const struct core_place *p)
{
	struct relocation *r = q->relocation;
	struct buf record = { 0 };
	struct plog_record rec;
	struct iovec iov;
	struct copy *c;

	/* Damage is deliver's to find and to tell: it is left as it is. */
	if (read_message(q, g, p, &record, &rec, &c) == 0) {
		iov = (struct iovec){ c->bytes, c->len };
		r->pending += c->len;
		if (plog_append(r->writer, rec.type, rec.rec.p, rec.rec.len,
			&iov, 1, on_copied, c) < 0) {
			r->pending -= c->len;
			free(c);
		}
	}
	buf_fini(&record);
}

/* ---- which -------------------------------------------------------------- */

static bool
is_nearly_dead(struct qmgr *q, const struct seg *g)
{
	struct core_segment_view v;

	if (!g->is_read || g->is_removing || g->is_damaged ||
	    clock_mono_us() - g->read_us < q->conf->segment_copy_age) {
		return false;
	}
	core_segment_get(q->core, g->segid, &v);
	return v.messages != 0 &&
	    v.bytes * 100 < g->off * q->conf->segment_copy_percent;
}

static bool
mark_leaving(struct qmgr *q)
{
	uint32_t at = 0;
	bool is_any = false;
	struct seg *g;

	while ((g = segs_next(q->segs, &at)) != NULL) {
		g->is_leaving = is_nearly_dead(q, g);
		is_any = is_any || g->is_leaving;
	}
	return is_any;
}

static void
run_slice(void *arg)
{
	struct qmgr *q = arg;
	struct relocation *r = q->relocation;
	struct core_message m;
	struct seg *g;
	uint32_t msg;
	uint32_t n;
	int e = -EAGAIN;

	if (!has_file(q) || !jrn_is_ok(q->jrn) || r->pending > PENDING_MAX ||
	    q->pressure == PRESSURE_DISK) {
		loop_timer_arm(r->slice, RETRY_US);
		return;
	}
	for (int i = 0; i < MESSAGES_PER_SLICE && r->pending <= PENDING_MAX;
	     i++) {
		e = core_walk(q->core, &r->at, &msg);
		if (e != 1) {
			break;
		}
		if (core_message_get(q->core, msg, &m, &n) < 0 || n == 0 ||
		    m.accept_lsn == 0) {
			continue;
		}
		g = segs_find(q->segs, m.place.segid);
		if (g != NULL && g->is_leaving) {
			copy_message(q, g, &m.place);
		}
	}
	if (e == 0) {
		r->is_walking = false;
		return;
	}
	loop_timer_arm(r->slice, 0);
}

static void
start_writer(struct qmgr *q)
{
	struct plog_config c = {
		.kind = PLOG_MAIL,
		.file_size = q->conf->segment_size,
		.batch_bytes = BATCH_BYTES,
		.batch_records = BATCH_RECORDS,
		.need_file = on_need_file,
		.durable = on_durable,
		.arg = q,
	};

	if (q->relocation->writer == NULL) {
		q->relocation->writer = plog_writer_new(&c);
	}
}

static void
on_look(void *arg)
{
	struct qmgr *q = arg;
	struct relocation *r = q->relocation;

	loop_timer_arm(r->look, LOOK_US);
	if (!r->is_walking && r->pending == 0 && q->ask_file != NULL &&
	    mark_leaving(q)) {
		start_writer(q);
		r->is_walking = true;
		r->at = 0;
		loop_timer_arm(r->slice, 0);
	}
}

void
relocate_init(struct qmgr *q)
{
	struct relocation *r = mem_alloc(sizeof(*r));

	q->relocation = r;
	r->look = loop_timer_new(on_look, q);
	r->slice = loop_timer_new(run_slice, q);
	loop_timer_arm(r->look, LOOK_US);
}

void
relocate_fini(struct qmgr *q)
{
	struct relocation *r = q->relocation;

	if (r == NULL) {
		return;
	}
	plog_writer_free(&r->writer);
	loop_timer_free(&r->look);
	loop_timer_free(&r->slice);
	loop_defer_cancel(&r->read);
	free(r);
	q->relocation = NULL;
}
