/*
 * Reads the journal from a place on, in slices, up to where it is durable.
 */
#ifndef WEBHOOKD_SCAN_H
#define WEBHOOKD_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "plog.h"
#include "ring.h"
#include "str.h"

struct scan {
	struct place place;
	/* private */
	struct plog_reader r;
	uint32_t number;
	int fd;
	bool is_open;
};

struct scan_hit {
	uint64_t lsn;
	uint64_t from; /* begin of its batch */
	uint16_t type;
	struct str rec; /* valid in the callback */
};

enum scan_status {
	SCAN_END,     /* everything durable was read */
	SCAN_MORE,    /* the slice is over */
	SCAN_WAIT,    /* for a file */
	SCAN_STOPPED, /* the callback took no more */
	SCAN_GAP,     /* files were removed: place is behind them now */
};

/* False: the record is not taken, stop before it. */
typedef bool scan_fn(void *arg, const struct scan_hit *hit);

void scan_init(struct scan *s, struct place place);
/* Lets go of the file; the place stays, and scan_run may go on. */
void scan_close(struct scan *s);

/* Looks at no more than records of the journal. */
enum scan_status scan_run(
    struct scan *s, unsigned records, scan_fn *fn, void *arg) MUST_CHECK;

/*
 * The time of a file's first batch. Returns 1; 0: it has none (yet); -EAGAIN:
 * asked for; -ENOENT: removed; -errno.
 */
int scan_file_time(uint32_t number, uint64_t *time_us) MUST_CHECK;

#endif
