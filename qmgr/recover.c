/*
 * The queue from checkpoint and journal. Facts are absolute, so the part of
 * the journal that the checkpoint covers in part does no harm.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core_view.h"
#include "log.h"
#include "map.h"
#include "plog.h"
#include "qmgr.h"
#include "recover.h"
#include "replay.h"

struct numbers {
	uint32_t *n;
	size_t count;
};

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
list_journal(struct numbers *out)
{
	DIR *d = opendir("jrn");
	struct dirent *e;
	uint32_t number;

	*out = (struct numbers){ 0 };
	if (d == NULL) {
		return -errno;
	}
	while ((e = readdir(d)) != NULL) {
		if (journal_name_parse(str_of(e->d_name), &number) == 0) {
			out->n = mem_resize(
			    out->n, (out->count + 1) * sizeof(*out->n));
			out->n[out->count++] = number;
		}
	}
	(void)closedir(d);
	if (out->count != 0) {
		qsort(out->n, out->count, sizeof(*out->n), by_number);
	}
	return 0;
}

/* Reads all batches that can be read. 0 or -errno of the reading. */
static int
replay_batches(struct qmgr *q, struct plog_reader *r, uint32_t number)
{
	struct plog_record rec;
	int e;

	for (;;) {
		e = plog_reader_batch(r, UINT64_MAX);
		if (e == -EUCLEAN) {
			uint64_t at = r->off;
			uint64_t len = plog_reader_skip(r);

			log_error("journal file %08x: offset %" PRIu64
				  ", %" PRIu64 " bytes are damaged: facts of "
				  "the queue are lost",
			    number, at, len);
			continue;
		}
		if (e == 0 || e == -EBADMSG) {
			return 0; /* the end, or a torn tail */
		}
		if (e < 0) {
			return e;
		}
		while (plog_reader_record(r, &rec)) {
			replay_record(q, &rec, journal_lsn(number, rec.off));
			q->facts++; /* until a checkpoint has it */
		}
	}
}

static int
replay_file(struct qmgr *q, uint32_t number, uint64_t from)
{
	char path[JOURNAL_NAME_SIZE + 4] = "jrn/";
	struct plog_reader r = { 0 };
	autoclose int fd = -1;
	int e;

	journal_name(number, path + 4);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	e = plog_reader_init(&r, fd);
	if (e == -ENODATA) {
		/* Made and never written: its number is free. */
		(void)unlink(path);
		return 0;
	}
	if (e == -EBADMSG) {
		log_error("%s is not a journal file: passed over", path);
		return 0;
	}
	if (e < 0) {
		return e;
	}
	if (from > PLOG_FILE_HEADER) {
		plog_reader_seek(&r, from, 0);
	}
	e = replay_batches(q, &r, number);
	plog_reader_fini(&r);
	return e;
}

static int
replay_all(struct qmgr *q, const struct numbers *files, uint64_t start_lsn,
    struct buf *error)
{
	uint32_t first = journal_lsn_number(start_lsn);
	int r = 0;

	for (size_t i = 0; i < files->count && r == 0; i++) {
		uint32_t n = files->n[i];

		if (n >= first) {
			r = replay_file(
			    q, n, n == first ? journal_lsn_off(start_lsn) : 0);
		}
		if (r < 0) {
			buf_printf(
			    error, "journal file %08x: %s", n, strerror(-r));
		}
	}
	return r;
}

static uint64_t
load_checkpoint(struct qmgr *q)
{
	uint64_t start_lsn = 0;
	uint32_t number = 0;
	int r = checkpoint_current(&number);

	if (r == 0) {
		r = checkpoint_load(q, number, &start_lsn);
	}
	if (r == 0) {
		return start_lsn;
	}
	if (r != -ENOENT) {
		log_error("checkpoint %08x cannot be used: %s; the whole "
			  "journal is read instead",
		    number, strerror(-r));
	}
	return 0;
}

int
recover(struct qmgr *q, uint32_t *next, struct buf *error)
{
	struct numbers files;
	uint64_t start_lsn;
	int r = list_journal(&files);

	if (r < 0) {
		buf_printf(error, "jrn: %s", strerror(-r));
		return r;
	}
	replay_init(q);
	start_lsn = load_checkpoint(q);
	r = replay_all(q, &files, start_lsn, error);
	*next = files.count != 0 ? files.n[files.count - 1] + 1 : 1;
	q->oldest_journal = files.count != 0 ? files.n[0] : 1;
	q->checkpoint_journal = journal_lsn_number(start_lsn);
	free(files.n);
	replay_end(q);
	return r;
}
