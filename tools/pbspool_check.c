#include "pbspool_check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "event.h"
#include "event_id.h"
#include "journal.h"
#include "map.h"
#include "pbspool_content.h"
#include "pbspool_load.h"
#include "pbspool_scan.h"
#include "spool.h"
#include "uuid.h"

struct check {
	const struct pbspool_files *files;
	struct pbspool_report *report;
	struct pbspool_state *state;
	struct map *bigs; /* by number: messages that are alive name them */
	/* the segment that is read: */
	struct pbspool_scan *scan;
	struct pbspool_segment *segment; /* what the journal says; or NULL */
	int error;
	uint64_t alive;
	uint64_t waiting;
	uint64_t finished;
	/* of all: */
	uint64_t all_alive;
	uint64_t all_waiting;
	uint64_t without;
};

/* ---- a segment's messages ----------------------------------------------- */

static bool
is_copies(const struct check *c)
{
	return c->scan->segid >> 56 == SPOOL_WRITER_QMGR;
}

/* Is this record where the message is now? */
static struct pbspool_message *
message_at(const struct check *c, const struct event_accepted *e,
    const struct plog_record *rec)
{
	struct pbspool_message *m = pbspool_state_find(c->state, &e->msgid);

	return m != NULL && m->segid == c->scan->segid && m->rec_off == rec->off
	    ? m
	    : NULL;
}

/* Not yet in the journal: mail that the next start takes in. */
static bool
is_waiting(const struct check *c, const struct event_accepted *e,
    const struct plog_record *rec)
{
	const struct pbspool_segment *g = c->segment;

	return !is_copies(c) &&
	    (g == NULL ||
		(!g->is_removed && !g->is_read && rec->off >= g->off)) &&
	    pbspool_state_find(c->state, &e->msgid) == NULL;
}

static void
bad_content(struct check *c, const struct event_accepted *e,
    const struct plog_record *rec, const char *state, int r)
{
	char id[UUID_TEXT_SIZE];

	uuid_print(&e->msgid, id);
	if (r == -EUCLEAN) {
		pbspool_report_damage(c->report, 0, 0,
		    "%s message %s: big/%016" PRIx64
		    ".msg is not there or not whole",
		    state, id, e->big_file);
	} else {
		pbspool_report_damage(c->report, rec->content_off,
		    rec->content_len, "%s message %s: its content is damaged",
		    state, id);
	}
}

/* A big file goes with its message, before the segment does. */
static int
read_content(struct check *c, const struct event_accepted *e,
    const struct plog_record *rec, bool is_needed)
{
	struct event_accepted small = *e;

	if (e->big_file != 0 && is_needed) {
		(void)map_put_u64(c->bigs, e->big_file, c);
	}
	if (!is_needed) {
		small.big_file = 0;
	}
	return pbspool_content_read(c->files, c->scan->fd, c->scan->segid,
	    c->scan->size, rec, &small, NULL, NULL);
}

static void
count(struct check *c, struct pbspool_message *m, bool waits)
{
	if (m != NULL) {
		m->is_seen = true;
		c->alive++;
	} else if (waits) {
		c->waiting++;
	} else {
		c->finished++;
	}
}

static void
on_message(struct check *c, const struct event_accepted *e,
    const struct plog_record *rec, enum pbspool_trust trust)
{
	struct pbspool_message *m = message_at(c, e, rec);
	bool waits = m == NULL && is_waiting(c, e, rec);
	int r = read_content(c, e, rec, m != NULL || waits);

	if (r == -EBADMSG && m == NULL && trust == PBSPOOL_LAST) {
		return; /* part of the torn tail */
	}
	count(c, m, waits);
	if (r == -EBADMSG || r == -EUCLEAN) {
		c->without += m != NULL || waits;
		bad_content(c, e, rec,
		    m != NULL	? "live"
			: waits ? "new"
				: "finished",
		    r);
	} else if (r < 0) {
		c->error = r;
	}
}

static void
on_record(void *arg, const struct plog_record *rec, enum pbspool_trust trust)
{
	struct check *c = arg;
	struct event_accepted e;

	if (trust == PBSPOOL_BEHIND_TEAR || c->error < 0) {
		return;
	}
	if (rec->type != EVENT_accepted ||
	    event_decode(rec->type, rec->rec.p, rec->rec.len, &e) < 0) {
		pbspool_report_damage(c->report, rec->off, rec->rec.len,
		    "a record that is no message");
		return;
	}
	on_message(c, &e, rec, trust);
}

static void
on_damage(void *arg, uint64_t off, uint64_t len, const char *what)
{
	struct check *c = arg;

	pbspool_report_damage(c->report, off, len, "%s", what);
}

/* ---- segments ----------------------------------------------------------- */

static void
report_segment(struct check *c)
{
	const struct pbspool_scan *s = c->scan;
	const struct pbspool_segment *g = c->segment;
	struct pbspool_report *r = c->report;

	pbspool_report_num(r, "bytes", s->size);
	pbspool_report_num(r, "batches", s->batches);
	pbspool_report_num(r, "records", s->records);
	pbspool_report_num(r, "alive", c->alive);
	pbspool_report_num(r, "new", c->waiting);
	pbspool_report_num(r, "finished", c->finished);
	c->all_alive += c->alive;
	c->all_waiting += c->waiting;
	if (s->is_empty) {
		pbspool_report_note(r, "made and never written to");
	}
	if (s->torn_len != 0) {
		r->torn++;
		pbspool_report_note(r,
		    "torn tail at offset %" PRIu64 ", %" PRIu64
		    " bytes: never acknowledged",
		    s->torn_off, s->torn_len);
	}
	if (is_copies(c)) {
		pbspool_report_note(r, "copies of survivors");
	}
	if (g != NULL && g->is_removed) {
		pbspool_report_note(
		    r, "nothing in it is alive: removed at the next start");
	}
	if (g != NULL && g->is_damaged) {
		pbspool_report_note(
		    r, "its damage was found before; kept for a look at it");
	}
}

static int
check_segment(struct check *c, const struct pbspool_file *f)
{
	autoclose int fd = pbspool_files_open(c->files, f);
	struct pbspool_scan s = { .fd = fd,
		.segid = f->id,
		.kind = PLOG_MAIL,
		.record = on_record,
		.damage = on_damage,
		.arg = c };
	int r;

	if (fd < 0) {
		return fd;
	}
	c->scan = &s;
	c->segment = pbspool_state_segment(c->state, f->id);
	c->error = 0;
	c->alive = c->waiting = c->finished = 0;
	if (c->segment != NULL) {
		c->segment->is_seen = true;
		s.known = c->segment->off;
	}
	pbspool_report_begin(c->report, "segment", f->path);
	r = pbspool_scan(&s);
	r = r == 0 ? c->error : r;
	if (r == 0) {
		report_segment(c);
	}
	pbspool_report_end(c->report);
	return r;
}

static int
check_segments(struct check *c, struct buf *where)
{
	size_t n;
	const struct pbspool_file *f =
	    pbspool_files_of(c->files, PBSPOOL_SEGMENT, &n);

	for (size_t i = 0; i < n; i++) {
		int r = check_segment(c, &f[i]);

		if (r < 0 && r != -ENOENT) {
			buf_puts(where, f[i].path);
			return r;
		}
	}
	return 0;
}

/* ---- what is missing ---------------------------------------------------- */

/* Its accepted record is in the journal as long as it is alive. */
static void
check_accepted(struct check *c, const struct pbspool_message *m)
{
	uint32_t number = journal_lsn_number(m->accept_lsn);
	const struct pbspool_file *f =
	    pbspool_files_find(c->files, PBSPOOL_JOURNAL, number);
	struct buf record = { 0 };
	struct plog_record rec;
	struct event_common e;
	char id[UUID_TEXT_SIZE];
	autoclose int fd = f != NULL ? pbspool_files_open(c->files, f) : -1;

	if (fd < 0 ||
	    plog_read_record(fd, journal_segid(number),
		journal_lsn_off(m->accept_lsn), &record, &rec) < 0 ||
	    rec.type != EVENT_accepted || !event_peek(rec.type, rec.rec, &e) ||
	    !uuid_eq(&e.msgid, &m->id)) {
		uuid_print(&m->id, id);
		pbspool_report_damage(c->report, 0, 0,
		    "live message %s: its record in journal file %08" PRIx32
		    " cannot be read",
		    id, number);
	}
	buf_fini(&record);
}

static void
check_message(struct check *c, const struct pbspool_message *m)
{
	char path[PBSPOOL_PATH_SIZE];
	char id[UUID_TEXT_SIZE];

	check_accepted(c, m);
	if (m->is_seen) {
		return;
	}
	c->without++;
	uuid_print(&m->id, id);
	pbspool_segment_path(m->segid, path);
	pbspool_report_damage(c->report, 0, 0,
	    "live message %s: %s at offset %" PRIu64, id,
	    pbspool_files_find(c->files, PBSPOOL_SEGMENT, m->segid) != NULL
		? "its record cannot be read"
		: "its segment is missing",
	    m->rec_off);
	pbspool_report_note(c->report, "%s: %s", id, path);
}

/* Segments that went without a word of the journal. */
static void
check_gone(struct check *c)
{
	struct pbspool_segment *g;
	char path[PBSPOOL_PATH_SIZE];
	size_t at = 0;

	while ((g = pbspool_state_segment_next(c->state, &at)) != NULL) {
		if (g->is_seen || g->is_removed || g->off <= PLOG_FILE_HEADER) {
			continue;
		}
		pbspool_segment_path(g->segid, path);
		pbspool_report_note(c->report, "%s is missing%s", path,
		    g->is_damaged ? ": it was damaged" : "");
	}
}

static void
check_messages(struct check *c)
{
	struct pbspool_message *m;
	size_t at = 0;
	uint64_t n = 0;

	pbspool_report_begin(c->report, "queue", "queue");
	while ((m = pbspool_state_next(c->state, &at)) != NULL) {
		check_message(c, m);
		n++;
	}
	check_gone(c);
	pbspool_report_num(c->report, "alive", n);
	pbspool_report_num(c->report, "new", c->all_waiting);
	pbspool_report_num(c->report, "without content", c->without);
	pbspool_report_end(c->report);
}

/* ---- the rest ----------------------------------------------------------- */

/* The damage of a big file is told where its message is. */
static void
check_others(struct check *c)
{
	for (size_t i = 0; i < c->files->n; i++) {
		const struct pbspool_file *f = &c->files->all[i];

		if (f->kind == PBSPOOL_BIG) {
			pbspool_report_begin(c->report, "big", f->path);
			pbspool_report_num(c->report, "bytes", f->size);
			if (map_get_u64(c->bigs, f->id) == NULL) {
				pbspool_report_note(c->report,
				    "orphan: no message names it; removed "
				    "an hour after it was written");
			}
			pbspool_report_end(c->report);
		} else if (f->kind == PBSPOOL_OTHER) {
			pbspool_report_begin(c->report, "other", f->path);
			pbspool_report_num(c->report, "bytes", f->size);
			pbspool_report_note(c->report, "not a file of ours");
			pbspool_report_end(c->report);
		}
	}
}

int
pbspool_check(const struct pbspool_files *files, struct pbspool_report *report,
    struct buf *where)
{
	struct check c = { .files = files, .report = report };
	int r;

	c.state = pbspool_state_new();
	c.bigs = map_new();
	r = pbspool_load(files, c.state, report, where);
	if (r == 0) {
		r = check_segments(&c, where);
	}
	if (r == 0) {
		check_others(&c);
		check_messages(&c);
	}
	pbspool_state_free(&c.state);
	map_free(&c.bigs, NULL);
	return r;
}
