/*
 * New mail: from segments into the journal and the core. Each record is
 * written to the journal as it is, followed by its place; when both are
 * durable the core may give the message out. The cursor is written behind
 * the records it covers, so a crash in between reads them again and knows
 * them by their ids.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "log.h"
#include "qmgr.h"
#include "reports.h"

#define BATCHES_PER_TURN 64
#define BATCHES_PER_SEGMENT 16 /* of these, so that no writer starves */
/* More than this waits for the disk: new mail waits in its segments. */
#define JOURNAL_PENDING_MAX (64u * 1024 * 1024)
#define RETRY_US (200 * US_PER_MS)
/* How often segments without a writer are looked at, and how long one must
 * not have grown to be over. */
#define ORPHAN_LOOK_US US_PER_S
#define ORPHAN_QUIET_US (30 * US_PER_S)

static void run_intake(void *arg);

void
intake_wanted(struct qmgr *q)
{
	loop_defer(&q->intake, run_intake, q);
}

/* ---- the journal's word ------------------------------------------------- */

static void
on_accepted(void *arg, uint64_t lsn, uint64_t a, uint64_t b)
{
	struct qmgr *q = arg;

	(void)a;
	(void)b;
	q->accepted_lsn = lsn;
	q->is_pair_open = true;
}

/* a: handle. b: LSN of the accepted record if it was there before. */
static void
on_stored(void *arg, uint64_t lsn, uint64_t a, uint64_t b)
{
	struct qmgr *q = arg;
	uint32_t msg = (uint32_t)a;

	(void)lsn;
	if (b == 0) {
		q->is_pair_open = false;
		b = q->accepted_lsn;
	}
	core_set_lsn(q->core, msg, b);
	if (notes_at(q->notes, msg)->flags & (NOTE_BLOCKED | NOTE_TEST)) {
		accepted_settle(q, msg);
	}
	turn_wanted(q);
}

/* The same for a report; a: its number in reports.c. */
static void
on_report_stored(void *arg, uint64_t lsn, uint64_t a, uint64_t b)
{
	struct qmgr *q = arg;

	(void)lsn;
	if (b == 0) {
		q->is_pair_open = false;
		b = q->accepted_lsn;
	}
	reports_ready(q, a, b);
}

/* ---- records ------------------------------------------------------------ */

static void
write_stored(struct qmgr *q, const struct uuid *id, uint64_t accept_lsn,
    const struct core_place *p, jrn_done_fn *done, uint64_t a)
{
	struct event_stored e = {
		.msgid = *id,
		.accept_lsn = accept_lsn,
		.segid = p->segid,
		.rec_off = p->rec_off,
		.rec_len = p->rec_len,
		.content_off = p->content_off,
		.content_len = p->content_len,
		.content_crc = p->content_crc,
	};

	qmgr_write(q, EVENT_stored, &e, done, a, accept_lsn);
}

static void
log_active(const struct event_accepted *e)
{
	char id[UUID_TEXT_SIZE];
	char from[320];

	uuid_print(&e->msgid, id);
	log_info("%s: from=<%s>, size=%u, nrcpt=%u (queue active)", id,
	    str_safe(from, sizeof(from), e->sender), e->size, e->nrcpt);
}

static void
damaged(
    struct qmgr *q, struct seg *g, uint64_t off, uint64_t len, const char *text)
{
	struct event_spool_damaged e = {
		.segid = g->segid, .off = off, .len = len, .text = str_of(text)
	};
	char path[SEG_PATH_SIZE];

	g->is_damaged = true;
	qmgr_write(q, EVENT_spool_damaged, &e, NULL, 0, 0);
	seg_path(g->segid, path);
	log_error("%s: offset %" PRIu64 ", %" PRIu64 " bytes: %s", path, off,
	    len, text);
}

/* What was written to the journal before a crash, but not its place. */
static uint64_t
write_accepted(struct qmgr *q, const struct event_accepted *e,
    const struct plog_record *rec)
{
	uint64_t lsn = recover_orphan(q, &e->msgid);

	if (lsn == 0) {
		q->facts++;
		jrn_write_raw(
		    q->jrn, EVENT_accepted, rec->rec, on_accepted, 0, 0);
	}
	return lsn;
}

/* 0, or -ENOSPC: the queue is full, come again. */
static int
take_message(struct qmgr *q, struct seg *g, const struct event_accepted *e,
    const struct plog_record *rec, const struct core_place *place)
{
	struct accepted_view v;
	uint32_t msg;
	uint64_t lsn;
	int r = accepted_read(q, e, place, 0, &v);

	if (r == 0) {
		r = accepted_add(q, e, &v, &msg);
	}
	if (r == -EEXIST) {
		return 0; /* taken in before the restart */
	}
	if (r == -ENOSPC) {
		return r;
	}
	if (r < 0) {
		damaged(q, g, rec->off, rec->rec.len, "malformed envelope");
		return 0;
	}
	lsn = write_accepted(q, e, rec);
	write_stored(q, &e->msgid, lsn, place, on_stored, msg);
	log_active(e);
	return 0;
}

static void
take_report(struct qmgr *q, const struct event_accepted *e,
    const struct plog_record *rec, const struct core_place *place)
{
	uint64_t number = reports_add(q, e, place);
	uint64_t lsn;

	if (number != 0) {
		lsn = write_accepted(q, e, rec);
		write_stored(
		    q, &e->msgid, lsn, place, on_report_stored, number);
		log_active(e);
	}
}

static int
take_record(struct qmgr *q, struct seg *g, const struct plog_record *rec)
{
	struct event_accepted e;
	struct core_place place = {
		.segid = g->segid,
		.rec_off = (uint32_t)rec->off,
		.rec_len = (uint32_t)rec->rec.len,
		.content_off = (uint32_t)rec->content_off,
		.content_len = rec->content_len,
		.content_crc = rec->content_crc,
	};

	if (rec->type != EVENT_accepted || rec->off > UINT32_MAX ||
	    event_decode(rec->type, rec->rec.p, rec->rec.len, &e) < 0) {
		damaged(q, g, rec->off, rec->rec.len, "malformed record");
		return 0;
	}
	if (e.inbound != 0) {
		take_report(q, &e, rec, &place);
		return 0;
	}
	return take_message(q, g, &e, rec, &place);
}

/* ---- batches ------------------------------------------------------------ */

/*
 * Is the batch that was read surely acknowledged? Its writer said so, or a
 * later batch does. Otherwise its contents may be torn.
 */
static bool
is_acknowledged(struct seg *g)
{
	struct plog_reader probe = {
		.fd = g->fd, .segid = g->segid, .off = g->reader.off
	};
	bool is_told;

	if (g->reader.batch_end <= g->limit) {
		return true;
	}
	is_told = plog_reader_batch(&probe, UINT64_MAX) == 1 &&
	    probe.committed >= g->reader.batch_end;
	plog_reader_fini(&probe);
	return is_told;
}

static bool
has_content(struct seg *g, const struct plog_record *rec)
{
	uint8_t *p;
	int r;

	if (rec->content_len == 0) {
		return true;
	}
	p = mem_alloc(rec->content_len);
	r = plog_read_content(g->fd, g->segid, rec->content_off, p,
	    rec->content_len, rec->content_crc);
	free(p);
	return r == 0;
}

/* Takes the batch in. -ENOSPC: it must be read again from its beginning. */
static int
take_batch(struct qmgr *q, struct seg *g)
{
	bool is_sure = is_acknowledged(g);
	struct plog_record rec;
	int r = 0;

	while (r == 0 && plog_reader_record(&g->reader, &rec)) {
		if (!is_sure && !has_content(g, &rec)) {
			log_info("segment %016" PRIx64 ", offset %" PRIu64
				 ": a message that was never acknowledged is "
				 "not whole: dropped",
			    g->segid, rec.off);
			continue;
		}
		r = take_record(q, g, &rec);
	}
	if (r < 0) {
		plog_reader_seek(&g->reader, g->off, 0);
		return r;
	}
	g->off = g->reader.off;
	return 0;
}

static void
write_cursor(struct qmgr *q, const struct seg *g, bool is_end)
{
	struct event_intake e = {
		.segid = g->segid, .off = g->off, .is_sealed = is_end
	};

	qmgr_write(q, EVENT_intake, &e, NULL, 0, 0);
}

/* How far the segment may be read: with a living writer what it vouches
 * for, else everything. */
static uint64_t
read_limit(const struct seg *g)
{
	return g->owner != NULL ? g->limit : UINT64_MAX;
}

/* Bytes do not agree at the cursor. True: go on behind them. */
static bool
pass_damage(struct qmgr *q, struct seg *g, int error)
{
	uint64_t at = g->off;
	uint64_t len;

	if (error == -EBADMSG && at >= g->limit) {
		return false; /* a torn tail that nobody was promised */
	}
	len = plog_reader_skip(&g->reader);
	damaged(q, g, at, len, "acknowledged bytes are damaged");
	if (len == 0) {
		g->off = g->limit > at ? g->limit : at;
		plog_reader_seek(&g->reader, g->off, 0);
		return false;
	}
	g->off = g->reader.off;
	return true;
}

/* Reads on in one segment. Returns 1: there may be more; 0: no more now;
 * -errno: cannot go on now. */
static int
read_segment(struct qmgr *q, struct seg *g, int *batches)
{
	uint64_t limit = read_limit(g);
	int r = segs_read_on(q->segs, g);

	if (r < 0) {
		return r;
	}
	if (r == 1) {
		damaged(q, g, 0, PLOG_FILE_HEADER, "the header is damaged");
	}
	while (*batches > 0) {
		r = plog_reader_batch(&g->reader, limit);
		if (r == -EUCLEAN || r == -EBADMSG) {
			if (!pass_damage(q, g, r)) {
				return 0;
			}
			continue;
		}
		if (r <= 0) {
			return r;
		}
		(*batches)--;
		r = take_batch(q, g);
		if (r < 0) {
			return r;
		}
	}
	return 1;
}

/* All writers of an incarnation are dead when there is a newer one. */
static bool
is_of_the_past(const struct qmgr *q, const struct seg *g)
{
	return (g->segid >> 32 & 0xffffff) < q->incarnation;
}

/*
 * Whether nothing will be added any more. A segment that is removed too early
 * takes acknowledged mail with it, so one of this incarnation that no writer
 * has named in this run stays open: it may be the next one of a living writer.
 */
static bool
is_over(const struct qmgr *q, struct seg *g, bool has_grown)
{
	if (g->owner != NULL) {
		return g->is_sealed && g->off >= g->limit;
	}
	if (g->is_sealed || is_of_the_past(q, g)) {
		return true;
	}
	if (has_grown || g->quiet_since_us == 0) {
		g->quiet_since_us = clock_mono_us();
	}
	return g->is_announced &&
	    clock_mono_us() - g->quiet_since_us >= ORPHAN_QUIET_US;
}

static int
take_segment(struct qmgr *q, struct seg *g, int *batches)
{
	uint64_t before = g->off;
	int share =
	    *batches < BATCHES_PER_SEGMENT ? *batches : BATCHES_PER_SEGMENT;
	int left = share;
	int r = read_segment(q, g, &left);
	bool is_end = r == 0 && is_over(q, g, g->off != before);

	if (r == -ENODATA || (r == -EBADMSG && g->limit == 0)) {
		/* Made and not yet written to, or never, or hardly. */
		r = 0;
		is_end = is_over(q, g, false);
	}
	if (r == -ENOENT || r == -EBADMSG) {
		damaged(q, g, 0, g->limit, strerror(-r));
		is_end = true;
		r = 0;
	}
	if (is_end) {
		g->is_sealed = true;
		g->is_read = true;
		g->read_us = clock_mono_us();
	}
	*batches -= share - left;
	if (left == 0) {
		q->has_more_mail = true;
	}
	if (g->off != before || is_end) {
		write_cursor(q, g, is_end);
	}
	if (is_end) {
		release_segment(q, g);
	}
	return r;
}

/*
 * May a segment that no writer has named be read? If its writer lives, that
 * will name it soon; until then a batch in it may be on its way to the disk.
 */
static bool
is_settled(struct seg *g)
{
	uint64_t now = clock_mono_us();
	char path[SEG_PATH_SIZE];
	struct stat st;

	seg_path(g->segid, path);
	if (lstat(path, &st) < 0) {
		return true; /* reading it tells why */
	}
	if (g->seen_us == 0 || (uint64_t)st.st_size != g->seen_size) {
		g->seen_us = now;
		g->seen_size = (uint64_t)st.st_size;
		return false;
	}
	return now - g->seen_us >= ORPHAN_LOOK_US;
}

static bool
is_waiting(const struct qmgr *q, struct seg *g)
{
	if (g->is_read || g->is_removing ||
	    g->segid >> 56 == SPOOL_WRITER_QMGR) {
		return false; /* copies are no new mail */
	}
	if (g->owner != NULL) {
		return g->off < g->limit || g->is_sealed;
	}
	/* Others may still be announced by their writers. */
	return q->is_orphan_turn &&
	    (is_of_the_past(q, g) ||
		(!q->is_reconciling && (g->is_announced || is_settled(g))));
}

static bool
has_orphans(const struct qmgr *q)
{
	uint32_t at = 0;
	const struct seg *g;

	while ((g = segs_next(q->segs, &at)) != NULL) {
		if (!g->is_read && !g->is_removing && g->owner == NULL &&
		    g->segid >> 56 != SPOOL_WRITER_QMGR) {
			return true;
		}
	}
	return false;
}

static void
look_at_orphans(void *arg)
{
	struct qmgr *q = arg;

	q->is_orphan_turn = true;
	run_intake(q);
}

static void
run_intake(void *arg)
{
	struct qmgr *q = arg;
	int batches = BATCHES_PER_TURN;
	uint32_t at = 0;
	struct seg *g;
	int r;

	q->has_more_mail = false;
	while (batches > 0 && (g = segs_next(q->segs, &at)) != NULL) {
		if (!is_waiting(q, g)) {
			continue;
		}
		if (!jrn_is_ok(q->jrn) || q->is_draining ||
		    jrn_pending(q->jrn) > JOURNAL_PENDING_MAX) {
			loop_timer_arm(q->intake_timer, RETRY_US);
			return;
		}
		r = take_segment(q, g, &batches);
		if (r < 0) {
			log_warn("segment %016" PRIx64 ": %s", g->segid,
			    strerror(-r));
			loop_timer_arm(q->intake_timer, RETRY_US);
		}
	}
	if (q->has_more_mail) {
		loop_timer_arm(q->intake_timer, 0);
		return; /* orphans too: the turn is not over */
	}
	q->is_orphan_turn = false;
	if (!loop_timer_is_armed(q->orphan_timer) && has_orphans(q)) {
		loop_timer_arm(q->orphan_timer, ORPHAN_LOOK_US);
	}
}

struct seg *
intake_segment(struct qmgr *q, uint64_t segid)
{
	uint32_t incarnation = (uint32_t)(segid >> 32 & 0xffffff);

	if (incarnation > q->incarnation) {
		q->incarnation = incarnation;
	}
	return segs_add(q->segs, segid);
}

void
intake_durable(struct qmgr *q, struct peer *p, const struct ipc_durable *m)
{
	struct seg *g = intake_segment(q, m->segid);

	g->is_announced = true;
	if (g->is_read && m->off <= g->off) {
		return; /* said again on a new channel */
	}
	if (g->is_read) {
		/* Its writer was only believed to be gone. */
		g->is_read = false;
		g->is_sealed = false;
	}
	g->owner = p;
	if (m->off > g->limit) {
		g->limit = m->off;
	}
	if (m->is_sealed) {
		g->is_sealed = true;
	}
	intake_wanted(q);
}

void
intake_orphan(struct qmgr *q, const struct peer *p)
{
	uint32_t at = 0;
	struct seg *g;

	while ((g = segs_next(q->segs, &at)) != NULL) {
		if (g->owner == p) {
			g->owner = NULL;
			g->quiet_since_us = 0;
		}
	}
	q->is_orphan_turn = true;
	intake_wanted(q);
}

void
intake_init(struct qmgr *q)
{
	q->intake_timer = loop_timer_new(run_intake, q);
	q->orphan_timer = loop_timer_new(look_at_orphans, q);
	q->is_orphan_turn = true;
}

void
intake_fini(struct qmgr *q)
{
	loop_defer_cancel(&q->intake);
	loop_timer_free(&q->intake_timer);
	loop_timer_free(&q->orphan_timer);
}
