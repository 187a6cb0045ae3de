/*
 * The accepted events of messages whose other events are read now: an event
 * names it by accept_lsn, and most of a message's events come together.
 */
#ifndef WEBHOOKD_ACCEPTED_H
#define WEBHOOKD_ACCEPTED_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "event.h"
#include "journal_feed.h"
#include "plog.h"

void accepted_start(void);
void accepted_stop(void);

/*
 * Reads any record by its lsn into *buf. JOURNAL_FEED_GONE when its file was
 * removed or it cannot be read.
 */
enum journal_feed_status accepted_read(
    uint64_t lsn, struct buf *buf, struct plog_record *out) MUST_CHECK;

/* The accepted event at lsn; valid until the next call. */
enum journal_feed_status accepted_get(
    uint64_t lsn, const struct event_accepted **out) MUST_CHECK;

#endif
