/*
 * The journal's files as pblog reads them: in place, also while the suite is
 * down, and with no regard to what is durable.
 */
#ifndef TOOLS_PBLOG_READ_H
#define TOOLS_PBLOG_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "event.h"
#include "journal_index.h"
#include "plog.h"
#include "str.h"

struct pblog_read;

struct pblog_record {
	uint64_t lsn;
	uint64_t batch_time_us;
	uint16_t type;
	struct str rec; /* valid until the next call */
};

/*
 * Opens SPOOL/jrn. Returns 0, -errno. *out is freed by pblog_close.
 */
int pblog_open(const char *spool, struct pblog_read **out) MUST_CHECK;
void pblog_close(struct pblog_read **r);

/*
 * What need not be read. stretch: whether something wanted may be in that
 * stretch of file number (NULL: indexes are not used); batch: whether it may
 * be among these records (NULL: always).
 */
struct pblog_wishes {
	bool (*stretch)(
	    void *arg, uint32_t number, const struct journal_stretch *s);
	bool (*batch)(void *arg, struct str records);
	void *arg;
};
void pblog_wish(struct pblog_read *r, const struct pblog_wishes *w);

/* The numbers of the journal's files, rising, as of now; until the next call
 * of another function. */
const uint32_t *pblog_files(const struct pblog_read *r, size_t *n);

/* The index of a file, read into text (emptied). False: there is none, or it
 * is damaged. */
bool pblog_index(struct pblog_read *r, uint32_t number, struct buf *text,
    struct journal_index *out) MUST_CHECK;

/* Goes to the last file that begins before the time. */
void pblog_seek_time(struct pblog_read *r, uint64_t time_us);

/*
 * The next record. Returns 1; 0 at the end of what is there now: a later
 * call goes on when more was written. Damage is skipped and counted.
 */
int pblog_next(struct pblog_read *r, struct pblog_record *out) MUST_CHECK;

/* Bytes that could not be read because of damage. */
uint64_t pblog_damaged(const struct pblog_read *r);

struct pblog_stats {
	uint64_t files;	  /* come to */
	uint64_t indexed; /* of them */
	uint64_t opened;  /* and read in */
	uint64_t joined;  /* opened to read accepted events */
	uint64_t bytes;	  /* of batches read */
};
const struct pblog_stats *pblog_stats(const struct pblog_read *r);

/*
 * The accepted event at lsn, NULL when it cannot be read any more. Valid until
 * the next call.
 */
const struct event_accepted *pblog_accepted(struct pblog_read *r, uint64_t lsn);

#endif
