#include "checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ckp.h"
#include "core_limits.h"
#include "core_name.h"
#include "core_view.h"
#include "dsn_due.h"
#include "log.h"
#include "paths.h"
#include "plog.h"
#include "qmgr.h"
#include "recover.h"
#include "reports.h"
#include "source_used.h"
#include "sources.h"
#include "tls_learn.h"

#define MESSAGES_PER_SLICE 1000
#define RECORDS_PENDING_MAX 20000
#define BATCH_BYTES (4u * 1024 * 1024)
/* Fewer changes than this are read from the journal as quickly. */
#define FACTS_MIN 1000
/* A message that did not change is written again for so many changes. */
#define MESSAGES_PER_FACT 4
/* To read these from the journal takes a tenth of a second. */
#define FACTS_AT_STOP 100000
/* But a few changes are not left to the journal for ever: it must end. */
#define FEW_FACTS_US (3600 * US_PER_S)
#define FEW_RCPTS 64

struct checkpoint {
	struct loop_timer *timer; /* the next one */
	struct loop_timer *slice;
	struct plog_writer *writer; /* NULL: none is being written */
	uint32_t number;
	uint32_t current; /* the one that CURRENT names; 0: none */
	uint64_t start_lsn;
	uint64_t begun_us;
	uint32_t at; /* core_walk's */
	uint64_t records;
	uint64_t messages;
	uint64_t oldest_lsn; /* of a live message */
	struct buf rec;
	struct buf rcpts; /* of one message */
	struct buf dsn;
	bool is_creating;
	bool is_failed;
};

static void
abandon(struct qmgr *q, const char *why)
{
	struct checkpoint *c = q->checkpoint;
	char path[CKP_PATH_SIZE];

	if (why != NULL) {
		log_warn(
		    "checkpoint %08x: %s; tried again later", c->number, why);
	}
	loop_timer_stop(c->slice);
	plog_writer_free(&c->writer);
	ckp_path(c->number, path);
	disk_remove_lazily(q->disk, path);
}

/* ---- records ------------------------------------------------------------ */

static void
on_record(void *arg, int status, uint64_t segid, uint64_t off)
{
	struct qmgr *q = arg;

	(void)segid;
	(void)off;
	if (status < 0 && status != -ECANCELED) {
		/* The slice, or the end, sees it. */
		q->checkpoint->is_failed = true;
	}
}

static void on_end(void *arg, int status, uint64_t segid, uint64_t off);

static void
append(struct qmgr *q, unsigned type, bool is_end)
{
	struct checkpoint *c = q->checkpoint;

	c->records++;
	if (plog_append(c->writer, (uint16_t)type, c->rec.p, c->rec.len, NULL,
		0, is_end ? on_end : on_record, q) < 0) {
		c->is_failed = true;
	}
}

static void
put(struct qmgr *q, enum ckp_type type, const void *rec)
{
	q->checkpoint->rec.len = 0;
	ckp_encode(&q->checkpoint->rec, type, rec);
	append(q, type, type == CKP_end);
}

static void
put_event(struct qmgr *q, enum event_type type, const void *event)
{
	q->checkpoint->rec.len = 0;
	bug_on(event_encode(&q->checkpoint->rec, type, event) < 0);
	append(q, type, false);
}

static void
put_rcpts(struct qmgr *q, uint32_t msg, struct buf *out)
{
	struct core_rcpt_view few[FEW_RCPTS];
	struct core_rcpt_view *all = few;
	uint32_t n = core_message_rcpts(q->core, msg, few, FEW_RCPTS);

	if (n > FEW_RCPTS) {
		all = mem_alloc(n * sizeof(*all));
		n = core_message_rcpts(q->core, msg, all, n);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct core_rcpt *r = &all[i].r;
		struct str domain = core_domain_name(q->core, r->domain);

		buf_u16(out, r->ordinal);
		buf_u16(out, r->attempts);
		buf_u32(out, r->due_s);
		buf_u8(out, r->is_held);
		buf_u8(out, (uint8_t)domain.len);
		buf_add(out, domain.p, domain.len);
	}
	if (all != few) {
		free(all);
	}
}

static void
put_message(struct qmgr *q, uint32_t msg)
{
	struct checkpoint *c = q->checkpoint;
	const struct note *note = notes_at(q->notes, msg);
	struct core_message m;
	uint32_t n;

	if (core_message_get(q->core, msg, &m, &n) < 0 || m.accept_lsn == 0) {
		return; /* the journal behind start_lsn has it */
	}
	c->rcpts.len = 0;
	put_rcpts(q, msg, &c->rcpts);
	c->dsn.len = 0;
	dsn_collect(q, msg, &c->dsn);
	put(q, CKP_message,
	    &(struct ckp_message){
		.msgid = m.id,
		.accept_lsn = m.accept_lsn,
		.account = m.account,
		.subaccount = m.subaccount,
		.class = (uint8_t)m.class,
		.core_flags = m.flags & ~CORE_PINNED,
		.note_flags = note->flags,
		.expiry_s = m.expiry_s,
		.size = m.size,
		.segid = m.place.segid,
		.rec_off = m.place.rec_off,
		.rec_len = m.place.rec_len,
		.content_off = m.place.content_off,
		.content_len = m.place.content_len,
		.content_crc = m.place.content_crc,
		.big_file = notes_big(q->notes, msg),
		.reason = note->reason,
		.return_domain = notes_name(q->notes, note->return_domain),
		.pool = sources_pool_name(q, m.pool),
		.dsn = buf_str(&c->dsn),
		.rcpts = buf_str(&c->rcpts),
	    });
	c->messages++;
	if (m.accept_lsn < c->oldest_lsn) {
		c->oldest_lsn = m.accept_lsn;
	}
}

static void
put_reports(struct qmgr *q)
{
	struct report_view v;
	size_t at = 0;

	while (reports_next(q, &at, &v)) {
		put(q, CKP_report,
		    &(struct ckp_report){
			.msgid = v.msgid,
			.accept_lsn = v.accept_lsn,
			.account = v.account,
			.subaccount = v.subaccount,
			.segid = v.place.segid,
			.rec_off = v.place.rec_off,
			.rec_len = v.place.rec_len,
			.content_off = v.place.content_off,
			.content_len = v.place.content_len,
			.content_crc = v.place.content_crc,
			.big_file = v.big_file,
		    });
		if (v.accept_lsn < q->checkpoint->oldest_lsn) {
			q->checkpoint->oldest_lsn = v.accept_lsn;
		}
	}
}

static void
put_segments(struct qmgr *q)
{
	uint32_t at = 0;
	struct seg *g;

	while ((g = segs_next(q->segs, &at)) != NULL) {
		put_event(q, EVENT_intake,
		    &(struct event_intake){
			.segid = g->segid,
			.off = g->off,
			.is_sealed = g->is_read,
		    });
		if (g->is_removing) {
			put_event(q, EVENT_segment_removed,
			    &(struct event_segment_removed){
				.segid = g->segid });
		}
		if (g->is_damaged) {
			put_event(q, EVENT_spool_damaged,
			    &(struct event_spool_damaged){ .segid = g->segid });
		}
	}
}

static void
put_tls_sites(struct qmgr *q)
{
	const struct tls_site *s;
	struct event_tls_site e;
	size_t at = 0;

	while ((s = tls_sites_next(q->tls_sites, &at)) != NULL) {
		tls_learn_event(s, &e);
		put_event(q, EVENT_tls_site, &e);
	}
}

static void
put_small(struct qmgr *q)
{
	struct core_tenant_view t;
	uint32_t at = 0;
	uint32_t number;
	struct str text;

	while (notes_reason_next(q->notes, &at, &number, &text)) {
		put(q, CKP_reason,
		    &(struct ckp_reason){ .number = number, .text = text });
	}
	put_tls_sites(q);
	paths_collect(q, put_event);
	source_used_each(q, put_event);
	at = 0;
	while (core_tenant_next(q->core, &at, &t)) {
		if (t.quota_used != 0) {
			put_event(q, EVENT_quota_used,
			    &(struct event_quota_used){ .account = t.account,
				.subaccount = t.subaccount,
				.hour_us = t.quota_hour * 3600 * US_PER_S,
				.used = t.quota_used });
		}
	}
}

/* ---- slices ------------------------------------------------------------- */

static void
finish(struct qmgr *q)
{
	struct checkpoint *c = q->checkpoint;

	put_reports(q);
	/* Last: a cursor covers only what is in the journal by then. */
	put_segments(q);
	put(q, CKP_end, &(struct ckp_end){ .records = c->records });
}

static void
run_slice(void *arg)
{
	struct qmgr *q = arg;
	struct checkpoint *c = q->checkpoint;
	uint32_t msg;
	int r = -EAGAIN;

	if (c->is_failed) {
		abandon(q, "it cannot be written");
		return;
	}
	if (plog_writer_pending(c->writer) > RECORDS_PENDING_MAX) {
		loop_timer_arm(c->slice, 10 * US_PER_MS);
		return;
	}
	for (int i = 0; i < MESSAGES_PER_SLICE; i++) {
		r = core_walk(q->core, &c->at, &msg);
		if (r != 1) {
			break;
		}
		put_message(q, msg);
	}
	if (r == 0) {
		finish(q);
		return;
	}
	loop_timer_arm(c->slice, 0);
}

/* ---- becoming current --------------------------------------------------- */

static void
remove_old(struct qmgr *q)
{
	DIR *d = opendir("ckp");
	char path[CKP_PATH_SIZE];
	struct dirent *e;
	uint32_t number;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (sscanf(e->d_name, "%8" SCNx32, &number) != 1) {
			continue;
		}
		ckp_path(number, path);
		if (strcmp(path + 4, e->d_name) == 0 &&
		    number != q->checkpoint->current) {
			disk_remove_lazily(q->disk, path);
		}
	}
	if (d != NULL) {
		(void)closedir(d);
	}
}

static void
on_current(void *arg, uint64_t number, int status, int fd)
{
	struct qmgr *q = arg;
	struct checkpoint *c = q->checkpoint;

	(void)fd;
	if (status < 0) {
		abandon(q, strerror(-status));
		return;
	}
	c->current = (uint32_t)number;
	plog_writer_free(&c->writer);
	q->checkpoint_journal = journal_lsn_number(c->start_lsn);
	q->live_journal = journal_lsn_number(c->oldest_lsn);
	log_debug("checkpoint %08x: %" PRIu64 " messages, %" PRIu64 " ms",
	    c->number, c->messages, (clock_mono_us() - c->begun_us) / 1000);
	remove_old(q);
	retention_apply(q);
}

/* The journal has caught up with the checkpoint's last record. */
static void
on_caught_up(void *arg, uint64_t lsn, uint64_t number, uint64_t zero)
{
	struct qmgr *q = arg;
	char path[CKP_PATH_SIZE];
	char name[CKP_PATH_SIZE];
	int n;

	(void)lsn;
	(void)zero;
	if (q->checkpoint->writer == NULL || q->checkpoint->number != number) {
		return;
	}
	ckp_path((uint32_t)number, path);
	n = snprintf(name, sizeof(name), "%s\n", path + 4);
	disk_replace(q->disk, "ckp/CURRENT", (struct str){ name, (size_t)n },
	    on_current, q, number);
}

static void
on_end(void *arg, int status, uint64_t segid, uint64_t off)
{
	struct qmgr *q = arg;
	struct checkpoint *c = q->checkpoint;

	(void)segid;
	(void)off;
	if (status == -ECANCELED) {
		return;
	}
	if (status < 0 || c->is_failed) {
		/* The writer calls: it is freed when it has returned. */
		c->is_failed = true;
		loop_timer_arm(c->slice, 0);
		return;
	}
	jrn_after(q->jrn, on_caught_up, c->number, 0);
}

/* ---- beginning ---------------------------------------------------------- */

static void
no_more_files(void *arg)
{
	(void)arg; /* the one file has no limit; asked for in good time */
}

static void
on_created(void *arg, uint64_t number, int status, int fd)
{
	struct qmgr *q = arg;
	struct checkpoint *c = q->checkpoint;
	struct plog_config pc = {
		.kind = PLOG_CHECKPOINT,
		.file_size = UINT64_MAX,
		.batch_bytes = BATCH_BYTES,
		.batch_records = RECORDS_PENDING_MAX,
		.need_file = no_more_files,
		.arg = q,
	};
	struct core_stats stats;

	c->is_creating = false;
	if (status < 0) {
		log_warn("checkpoint %08x: %s; tried again later", c->number,
		    strerror(-status));
		return;
	}
	c->writer = plog_writer_new(&pc);
	plog_writer_add_file(c->writer, fd, ckp_segid((uint32_t)number));
	c->at = 0;
	c->records = 0;
	c->messages = 0;
	c->is_failed = false;
	c->begun_us = clock_mono_us();
	c->start_lsn = q->safe_lsn;
	c->oldest_lsn = c->start_lsn;
	q->facts = 0;
	core_stats_get(q->core, &stats);
	put(q, CKP_begin,
	    &(struct ckp_begin){ .number = c->number,
		.start_lsn = c->start_lsn,
		.time_us = clock_wall_us(),
		.messages = stats.messages });
	put_small(q);
	loop_timer_arm(c->slice, 0);
}

bool
checkpoint_is_running(const struct qmgr *q)
{
	return q->checkpoint->writer != NULL || q->checkpoint->is_creating;
}

void
checkpoint_begin(struct qmgr *q)
{
	struct checkpoint *c = q->checkpoint;
	char path[CKP_PATH_SIZE];

	if (checkpoint_is_running(q) || q->safe_lsn == 0) {
		return;
	}
	c->number++;
	c->is_creating = true;
	ckp_path(c->number, path);
	disk_create(q->disk, path, on_created, q, c->number);
}

void
checkpoint_at_stop(struct qmgr *q)
{
	if (q->facts >= FACTS_AT_STOP && jrn_is_ok(q->jrn)) {
		checkpoint_begin(q);
	}
}

/*
 * So many changes pay for a checkpoint: what it writes grows with the queue,
 * and to read a change from the journal takes no longer than to read a message
 * from a checkpoint. So a long queue costs the same for each new message as a
 * short one, and a start a quarter more.
 */
static uint64_t
facts_wanted(const struct qmgr *q)
{
	struct core_stats stats;
	uint64_t n;

	core_stats_get(q->core, &stats);
	n = stats.messages / MESSAGES_PER_FACT;
	return n > FACTS_MIN ? n : FACTS_MIN;
}

static bool
is_due(const struct qmgr *q)
{
	uint64_t age = clock_mono_us() - q->checkpoint->begun_us;

	return jrn_is_ok(q->jrn) &&
	    (q->facts >= facts_wanted(q) ||
		(q->facts != 0 && age > FEW_FACTS_US));
}

static void
on_timer(void *arg)
{
	struct qmgr *q = arg;

	if (is_due(q)) {
		checkpoint_begin(q);
	} else {
		retention_apply(q);
	}
	loop_timer_arm(q->checkpoint->timer, q->conf->checkpoint_time);
}

void
checkpoint_init(struct qmgr *q)
{
	struct checkpoint *c = mem_alloc(sizeof(*c));

	q->checkpoint = c;
	if (checkpoint_current(&c->number) == 0) {
		c->current = c->number;
	}
	c->begun_us = clock_mono_us();
	c->timer = loop_timer_new(on_timer, q);
	c->slice = loop_timer_new(run_slice, q);
	loop_timer_arm(c->timer, q->conf->checkpoint_time);
}

void
checkpoint_fini(struct qmgr *q)
{
	struct checkpoint *c = q->checkpoint;

	if (c == NULL) {
		return;
	}
	c->is_failed = true; /* whatever the writer says now */
	plog_writer_free(&c->writer);
	loop_timer_free(&c->timer);
	loop_timer_free(&c->slice);
	buf_fini(&c->rec);
	buf_fini(&c->rcpts);
	buf_fini(&c->dsn);
	free(c);
	q->checkpoint = NULL;
}
