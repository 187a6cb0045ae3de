#include "journal_scan.h"

#include <errno.h>
#include <string.h>

#include "journal.h"
#include "journal_feed.h"
#include "log.h"

void
journal_scan_init(struct journal_scan *s, struct journal_place place)
{
	*s = (struct journal_scan){ .place = place, .fd = -1 };
}

void
journal_scan_close(struct journal_scan *s)
{
	if (s->is_open) {
		plog_reader_fini(&s->r);
		(void)close(s->fd);
		s->fd = -1;
		s->is_open = false;
	}
}

/* Goes to the beginning of a file. */
static void
go_to_file(struct journal_scan *s, uint32_t number)
{
	uint64_t begin = journal_lsn(number, 0);

	journal_scan_close(s);
	s->place = (struct journal_place){ begin, begin };
}

/*
 * Opens a file where the place says. A batch begins at place.from, if that
 * is in this file; a wrong one is found by its checksum, and then the file is
 * read from its beginning.
 */
static int
open_reader(struct journal_scan *s, uint32_t number, int fd)
{
	uint64_t off = journal_lsn_off(s->place.from);
	int r;

	/* The feed may close its own at any time. */
	s->fd = dup(fd);
	if (s->fd < 0) {
		return -errno;
	}
	r = plog_reader_init(&s->r, s->fd);
	if (r < 0) {
		(void)close(s->fd);
		s->fd = -1;
		return r;
	}
	s->number = number;
	s->is_open = true;
	if (journal_lsn_number(s->place.from) == number && off != 0) {
		plog_reader_seek(&s->r, off, 0);
		if (plog_reader_batch(&s->r, UINT64_MAX) < 0) {
			off = PLOG_FILE_HEADER;
		}
		plog_reader_seek(&s->r, off, 0);
	}
	return 0;
}

static bool
is_last_file(uint32_t number)
{
	return number >= journal_lsn_number(journal_feed_durable());
}

/* Before a record can be read. JOURNAL_SCAN_MORE: it is open, or ask again. */
static enum journal_scan_status
open_file(struct journal_scan *s)
{
	uint32_t number = journal_lsn_number(s->place.after);
	int fd = -1;
	int r;

	if (!journal_feed_has_file(number)) {
		return JOURNAL_SCAN_END;
	}
	switch (journal_feed_file(number, &fd)) {
	case JOURNAL_FEED_WAIT:
		return JOURNAL_SCAN_WAIT;
	case JOURNAL_FEED_GONE:
		go_to_file(s, journal_feed_oldest());
		return JOURNAL_SCAN_GAP;
	case JOURNAL_FEED_NONE:
		go_to_file(s, number + 1);
		return JOURNAL_SCAN_MORE;
	case JOURNAL_FEED_OK:
		break;
	}
	r = open_reader(s, number, fd);
	if (r == 0) {
		return JOURNAL_SCAN_MORE;
	}
	if (is_last_file(number)) {
		return JOURNAL_SCAN_END; /* just made: its header comes */
	}
	if (r != -ENODATA) {
		log_error("journal file %08x cannot be read: %s", number,
		    strerror(-r));
	}
	go_to_file(s, number + 1);
	return JOURNAL_SCAN_MORE;
}

/* The next batch, or what to do without one. JOURNAL_SCAN_MORE: go on. */
static enum journal_scan_status
next_batch(struct journal_scan *s)
{
	bool is_last = is_last_file(s->number);
	uint64_t limit =
	    is_last ? journal_lsn_off(journal_feed_durable()) : UINT64_MAX;
	uint64_t off = s->r.off;
	int r = plog_reader_batch(&s->r, limit);

	if (r == 1) {
		return JOURNAL_SCAN_MORE;
	}
	if (r == -EUCLEAN && plog_reader_skip(&s->r) != 0) {
		log_error("journal file %08x is damaged at %llu: %llu bytes "
			  "of events are lost",
		    s->number, (unsigned long long)off,
		    (unsigned long long)(s->r.off - off));
		return JOURNAL_SCAN_MORE;
	}
	if (is_last) {
		return JOURNAL_SCAN_END;
	}
	go_to_file(s, s->number + 1);
	return JOURNAL_SCAN_MORE;
}

enum journal_scan_status
journal_scan_run(
    struct journal_scan *s, unsigned records, journal_scan_fn *fn, void *arg)
{
	struct plog_record rec;
	enum journal_scan_status status;

	while (records > 0) {
		struct journal_hit hit;

		if (!s->is_open || !plog_reader_record(&s->r, &rec)) {
			status = s->is_open ? next_batch(s) : open_file(s);
			if (status != JOURNAL_SCAN_MORE) {
				return status;
			}
			continue;
		}
		records--;
		hit = (struct journal_hit){ journal_lsn(s->number, rec.off),
			journal_lsn(s->number, s->r.batch_off), rec.type,
			rec.rec };
		if (hit.lsn <= s->place.after) {
			continue;
		}
		s->place.from = hit.from;
		if (!fn(arg, &hit)) {
			journal_scan_close(s);
			return JOURNAL_SCAN_STOPPED;
		}
		s->place.after = hit.lsn;
	}
	return JOURNAL_SCAN_MORE;
}

int
journal_scan_file_time(uint32_t number, uint64_t *time_us)
{
	struct plog_reader r;
	int fd = -1;
	int e;

	if (!journal_feed_has_file(number)) {
		return 0;
	}
	switch (journal_feed_file(number, &fd)) {
	case JOURNAL_FEED_WAIT:
		return -EAGAIN;
	case JOURNAL_FEED_GONE:
		return -ENOENT;
	case JOURNAL_FEED_NONE:
		return 0;
	case JOURNAL_FEED_OK:
		break;
	}
	e = plog_reader_init(&r, fd);
	if (e < 0) {
		return e == -ENODATA ? 0 : e;
	}
	e = plog_reader_batch(&r, UINT64_MAX);
	if (e == 1) {
		*time_us = r.batch_time_us;
	}
	plog_reader_fini(&r);
	return e == -EBADMSG ? 0 : e;
}
