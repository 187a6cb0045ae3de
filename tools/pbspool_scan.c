#include "pbspool_scan.h"

#include <errno.h>
#include <sys/stat.h>

#include "plog_format.h"

static void
damage(struct pbspool_scan *s, uint64_t off, uint64_t len, const char *what)
{
	if (s->damage != NULL) {
		s->damage(s->arg, off, len, what);
	}
}

/*
 * The last offset that a batch of the file vouches for. Batches behind damage
 * and behind a tear speak too: none is written before what it vouches for
 * was synced.
 */
static int
find_committed(struct pbspool_scan *s, const struct plog_reader *from)
{
	struct plog_reader r = {
		.fd = from->fd, .segid = from->segid, .off = from->off
	};
	int e;

	s->committed = s->known;
	do {
		e = plog_reader_batch(&r, UINT64_MAX);
		if (e == 1 && r.committed > s->committed) {
			s->committed = r.committed;
		}
		if ((e == -EUCLEAN || e == -EBADMSG) &&
		    plog_reader_skip(&r) != 0) {
			e = 1;
		}
	} while (e == 1);
	plog_reader_fini(&r);
	return e == -EUCLEAN || e == -EBADMSG ? 0 : e;
}

static void
take_batch(
    struct pbspool_scan *s, struct plog_reader *r, enum pbspool_trust trust)
{
	struct plog_record rec;

	s->batches++;
	while (plog_reader_record(r, &rec)) {
		s->records++;
		if (s->record != NULL) {
			s->record(s->arg, &rec, trust);
		}
	}
}

static void
begin_tear(struct pbspool_scan *s, uint64_t off)
{
	if (s->torn_len == 0) {
		s->torn_off = off;
		s->torn_len = s->size - off;
	}
}

/* Bytes that do not agree. False: there is no batch behind them. */
static bool
pass(struct pbspool_scan *s, struct plog_reader *r)
{
	uint64_t at = r->off;
	uint64_t len = plog_reader_skip(r);

	if (at >= s->committed) {
		begin_tear(s, at);
	} else {
		damage(s, at, len != 0 ? len : s->size - at,
		    "acknowledged bytes cannot be read");
	}
	return len != 0;
}

static int
read_batches(struct pbspool_scan *s, struct plog_reader *r)
{
	for (;;) {
		int e = plog_reader_batch(r, UINT64_MAX);

		if (e == -EUCLEAN || e == -EBADMSG) {
			if (!pass(s, r)) {
				return 0;
			}
			continue;
		}
		if (e <= 0) {
			break;
		}
		if (s->torn_len != 0) {
			/* not counted: the suite does not see it */
			take_batch(s, r, PBSPOOL_BEHIND_TEAR);
			s->batches--;
		} else {
			take_batch(s, r,
			    r->batch_end <= s->committed ? PBSPOOL_ACKNOWLEDGED
							 : PBSPOOL_LAST);
		}
	}
	if (r->off < s->committed && s->torn_len == 0) {
		damage(s, r->off, s->committed - r->off,
		    r->off >= s->size ? "the file is cut off"
				      : "acknowledged bytes are zeros");
	}
	return 0;
}

/*
 * A file whose header cannot be read: its batches are read all the same, as
 * each of them carries the id. 1: go on; 0: nothing to read; -errno.
 */
static int
without_header(struct pbspool_scan *s, struct plog_reader *r, int e)
{
	if (e != -ENODATA && e != -EBADMSG) {
		return e;
	}
	*r = (struct plog_reader){
		.fd = s->fd, .segid = s->segid, .off = PLOG_FILE_HEADER
	};
	e = find_committed(s, r);
	if (e < 0) {
		return e;
	}
	if (s->committed > PLOG_FILE_HEADER) {
		damage(s, 0,
		    s->size < PLOG_FILE_HEADER ? s->size : PLOG_FILE_HEADER,
		    "the file's header cannot be read");
		return 1;
	}
	s->is_empty = s->size == 0;
	if (!s->is_empty) {
		begin_tear(s, 0); /* cut off before its first sync */
	}
	return s->size > PLOG_FILE_HEADER ? 1 : 0;
}

/* 1: the header is as it must be; 0: it is of another file; -errno. */
static int
with_header(struct pbspool_scan *s, struct plog_reader *r)
{
	struct plog_file_header h;
	int e;

	if (pread(s->fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h)) {
		s->created_us = h.created_us;
	}
	if (r->segid != s->segid || h.kind != s->kind) {
		damage(s, 0, s->size, "it is another file than its name says");
		return 0;
	}
	e = find_committed(s, r);
	return e < 0 ? e : 1;
}

int
pbspool_scan(struct pbspool_scan *s)
{
	struct plog_reader r = { 0 };
	struct stat st;
	int e;

	if (fstat(s->fd, &st) < 0) {
		return -errno;
	}
	s->size = (uint64_t)st.st_size;
	e = plog_reader_init(&r, s->fd);
	e = e < 0 ? without_header(s, &r, e) : with_header(s, &r);
	if (e == 1) {
		e = read_batches(s, &r);
	}
	plog_reader_fini(&r);
	return e;
}
