#include "pbspool_load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ckp.h"
#include "event.h"
#include "journal.h"
#include "pbspool_scan.h"

struct load {
	const struct pbspool_files *files;
	struct pbspool_state *state;
	struct pbspool_report *report;
	uint64_t start_lsn; /* records before it are in the checkpoint */
	uint32_t number;    /* of the journal file that is read */
	bool is_malformed;  /* the checkpoint has a record that is */
};

static void
on_damage(void *arg, uint64_t off, uint64_t len, const char *what)
{
	struct load *l = arg;

	pbspool_report_damage(l->report, off, len, "%s", what);
}

static void
report_scan(struct load *l, const struct pbspool_scan *s)
{
	pbspool_report_num(l->report, "bytes", s->size);
	pbspool_report_num(l->report, "batches", s->batches);
	pbspool_report_num(l->report, "records", s->records);
	if (s->is_empty) {
		pbspool_report_note(l->report, "made and never written to");
	}
	if (s->torn_len != 0) {
		l->report->torn++;
		pbspool_report_note(l->report,
		    "torn tail at offset %" PRIu64 ", %" PRIu64
		    " bytes: never acknowledged",
		    s->torn_off, s->torn_len);
	}
}

static int
scan_file(struct load *l, const struct pbspool_file *f, struct pbspool_scan *s)
{
	autoclose int fd = pbspool_files_open(l->files, f);
	int r;

	if (fd < 0) {
		return fd;
	}
	s->fd = fd;
	s->arg = l;
	s->damage = on_damage;
	r = pbspool_scan(s);
	if (r == 0) {
		report_scan(l, s);
	}
	return r;
}

/* ---- the checkpoint ----------------------------------------------------- */

/* The number that CURRENT names; -ENOENT; -EBADMSG; -errno. */
static int
read_current(const struct pbspool_files *files, uint32_t *number)
{
	char text[CKP_PATH_SIZE] = "";
	char path[CKP_PATH_SIZE];
	autoclose int fd =
	    openat(files->dir, "ckp/CURRENT", O_RDONLY | O_CLOEXEC);
	uint32_t n;

	if (fd < 0) {
		return -errno;
	}
	if (read(fd, text, sizeof(text) - 1) < 0) {
		return -errno;
	}
	text[strcspn(text, "\n")] = '\0';
	if (sscanf(text, "%8" SCNx32, &n) != 1) {
		return -EBADMSG;
	}
	ckp_path(n, path);
	if (strcmp(path + 4, text) != 0) {
		return -EBADMSG;
	}
	*number = n;
	return 0;
}

static void
on_checkpoint_record(
    void *arg, const struct plog_record *rec, enum pbspool_trust trust)
{
	struct load *l = arg;

	if (trust != PBSPOOL_BEHIND_TEAR && !l->is_malformed &&
	    pbspool_state_checkpoint(l->state, rec) < 0) {
		l->is_malformed = true;
	}
}

/* One checkpoint; only the current one fills the state. */
static int
load_checkpoint(struct load *l, const struct pbspool_file *f, bool is_current)
{
	struct pbspool_scan s = {
		.segid = ckp_segid((uint32_t)f->id),
		.kind = PLOG_CHECKPOINT,
		.record = is_current ? on_checkpoint_record : NULL,
	};
	uint64_t before = l->report->damages;
	int r;

	pbspool_report_begin(l->report, "checkpoint", f->path);
	r = scan_file(l, f, &s);
	if (r == 0 && !is_current) {
		pbspool_report_note(l->report,
		    "not the current one: it is removed with the next");
		l->report->damages = before; /* nobody needs it */
	}
	if (r == 0 && is_current) {
		bool is_whole =
		    pbspool_state_checkpoint_end(l->state, &l->start_lsn) &&
		    !l->is_malformed;

		if (!is_whole && l->report->damages == before) {
			pbspool_report_damage(
			    l->report, 0, 0, "the checkpoint is incomplete");
		} else if (is_whole) {
			pbspool_report_note(l->report,
			    "current; the journal is read from file %08" PRIx32
			    ", offset %" PRIu64,
			    journal_lsn_number(l->start_lsn),
			    journal_lsn_off(l->start_lsn));
		}
	}
	pbspool_report_end(l->report);
	return r;
}

/* The pointer; without a checkpoint the whole journal is needed. */
static void
report_current(struct load *l, int error, uint32_t number)
{
	size_t n;
	const struct pbspool_file *first =
	    pbspool_files_of(l->files, PBSPOOL_JOURNAL, &n);
	bool is_there = error == 0 &&
	    pbspool_files_find(l->files, PBSPOOL_CHECKPOINT, number) != NULL;

	if (is_there || (error == -ENOENT && (n == 0 || first->id == 1))) {
		return;
	}
	pbspool_report_begin(l->report, "checkpoint", "ckp/CURRENT");
	if (error == -ENOENT) {
		pbspool_report_damage(l->report, 0, 0,
		    "it is missing, and the journal begins with file "
		    "%08" PRIx64,
		    first->id);
	} else if (error < 0) {
		pbspool_report_damage(l->report, 0, 0, "%s",
		    error == -EBADMSG ? "it names no checkpoint"
				      : strerror(-error));
	} else {
		pbspool_report_damage(l->report, 0, 0,
		    "it names %08" PRIx32 ".ckp, which is not there", number);
	}
	pbspool_report_end(l->report);
}

static int
load_checkpoints(struct load *l, struct buf *where)
{
	size_t n;
	const struct pbspool_file *f =
	    pbspool_files_of(l->files, PBSPOOL_CHECKPOINT, &n);
	uint32_t number = 0;
	int error = read_current(l->files, &number);

	for (size_t i = 0; i < n; i++) {
		int r =
		    load_checkpoint(l, &f[i], error == 0 && f[i].id == number);

		if (r < 0 && r != -ENOENT) {
			buf_puts(where, f[i].path);
			return r;
		}
	}
	report_current(l, error, number);
	return 0;
}

/* ---- the journal -------------------------------------------------------- */

static void
on_journal_record(
    void *arg, const struct plog_record *rec, enum pbspool_trust trust)
{
	struct load *l = arg;
	uint64_t lsn = journal_lsn(l->number, rec->off);

	if (trust != PBSPOOL_BEHIND_TEAR && lsn >= l->start_lsn) {
		pbspool_state_record(l->state, rec, lsn);
	}
}

/* The journal reaches from where it must to its last file? */
static void
report_chain(struct load *l)
{
	size_t n;
	const struct pbspool_file *f =
	    pbspool_files_of(l->files, PBSPOOL_JOURNAL, &n);
	uint32_t start = journal_lsn_number(l->start_lsn);
	uint32_t number;
	size_t at = 0;

	pbspool_report_begin(l->report, "journal", "jrn");
	pbspool_report_num(l->report, "files", n);
	if (l->start_lsn != 0 &&
	    pbspool_files_find(l->files, PBSPOOL_JOURNAL, start) == NULL) {
		pbspool_report_damage(l->report, 0, 0,
		    "file %08" PRIx32
		    " is missing, from which the checkpoint goes on",
		    start);
	}
	while (pbspool_state_journal_next(l->state, &at, &number)) {
		if (n != 0 && number >= f[0].id && number != start &&
		    pbspool_files_find(l->files, PBSPOOL_JOURNAL, number) ==
			NULL) {
			pbspool_report_damage(l->report, 0, 0,
			    "file %08" PRIx32
			    " is missing, to which events refer",
			    number);
		}
	}
	for (size_t i = 1; i < n; i++) {
		if (f[i].id != f[i - 1].id + 1) {
			pbspool_report_note(l->report,
			    "no file between %08" PRIx64 " and %08" PRIx64
			    ": such are made and removed unwritten",
			    f[i - 1].id, f[i].id);
		}
	}
	if (pbspool_state_unknown(l->state) != 0) {
		pbspool_report_note(l->report,
		    "%" PRIu64 " records that this version does not know",
		    pbspool_state_unknown(l->state));
	}
	pbspool_report_end(l->report);
}

static int
load_journal(struct load *l, struct buf *where)
{
	size_t n;
	const struct pbspool_file *f =
	    pbspool_files_of(l->files, PBSPOOL_JOURNAL, &n);
	uint32_t start = journal_lsn_number(l->start_lsn);

	for (size_t i = 0; i < n; i++) {
		struct pbspool_scan s = {
			.segid = journal_segid((uint32_t)f[i].id),
			.kind = PLOG_JOURNAL,
			.record = on_journal_record,
		};
		int r;

		l->number = (uint32_t)f[i].id;
		if (l->number == start) {
			s.known = journal_lsn_off(l->start_lsn);
		}
		pbspool_report_begin(l->report, "journal", f[i].path);
		r = scan_file(l, &f[i], &s);
		pbspool_report_end(l->report);
		if (r < 0 && r != -ENOENT) {
			buf_puts(where, f[i].path);
			return r;
		}
	}
	report_chain(l);
	return 0;
}

int
pbspool_load(const struct pbspool_files *files, struct pbspool_state *state,
    struct pbspool_report *report, struct buf *where)
{
	struct load l = { .files = files, .state = state, .report = report };
	int r = load_checkpoints(&l, where);

	return r < 0 ? r : load_journal(&l, where);
}
