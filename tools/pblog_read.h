/*
 * The journal's files as pblog reads them: in place, also while the suite is
 * down, and with no regard to what is durable.
 */
#ifndef TOOLS_PBLOG_READ_H
#define TOOLS_PBLOG_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "event.h"
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

/* Goes to the last file that begins before the time. */
void pblog_seek_time(struct pblog_read *r, uint64_t time_us);

/*
 * The next record. Returns 1; 0 at the end of what is there now: a later
 * call goes on when more was written. Damage is skipped and counted.
 */
int pblog_next(struct pblog_read *r, struct pblog_record *out) MUST_CHECK;

/* Bytes that could not be read because of damage. */
uint64_t pblog_damaged(const struct pblog_read *r);

/*
 * The accepted event at lsn, NULL when it cannot be read any more. Valid until
 * the next call.
 */
const struct event_accepted *pblog_accepted(struct pblog_read *r, uint64_t lsn);

#endif
