/*
 * Reads the journal from a place on, in slices, up to where it is durable.
 */
#ifndef LIB_JOURNAL_SCAN_H
#define LIB_JOURNAL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "plog.h"
#include "str.h"

/* Where reading goes on. */
struct journal_place {
	uint64_t after; /* every record up to this lsn is dealt with */
	uint64_t from;	/* lsn of a batch's begin before the next; 0: unknown */
};

struct journal_scan {
	struct journal_place place;
	/* private */
	struct plog_reader r;
	uint32_t number;
	int fd;
	bool is_open;
};

struct journal_hit {
	uint64_t lsn;
	uint64_t from; /* begin of its batch */
	uint16_t type;
	struct str rec; /* valid in the callback */
};

enum journal_scan_status {
	JOURNAL_SCAN_END,     /* everything durable was read */
	JOURNAL_SCAN_MORE,    /* the slice is over */
	JOURNAL_SCAN_WAIT,    /* for a file */
	JOURNAL_SCAN_STOPPED, /* the callback took no more */
	JOURNAL_SCAN_GAP,     /* files were removed: place is behind them now */
};

/* False: the record is not taken, stop before it. */
typedef bool journal_scan_fn(void *arg, const struct journal_hit *hit);

void journal_scan_init(struct journal_scan *s, struct journal_place place);
/* Lets go of the file; the place stays, and journal_scan_run may go on. */
void journal_scan_close(struct journal_scan *s);

/* Looks at no more than records of the journal. */
enum journal_scan_status journal_scan_run(struct journal_scan *s,
    unsigned records, journal_scan_fn *fn, void *arg) MUST_CHECK;

/*
 * The time of a file's first batch. Returns 1; 0: it has none (yet); -EAGAIN:
 * asked for; -ENOENT: removed; -errno.
 */
int journal_scan_file_time(uint32_t number, uint64_t *time_us) MUST_CHECK;

#endif
