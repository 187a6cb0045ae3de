/*
 * The journal as qmgr lets us read it: its files, and how far they are
 * durable. Nothing beyond that is ever looked at.
 */
#ifndef LIB_JOURNAL_FEED_H
#define LIB_JOURNAL_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "event.h"
#include "ipc.h"

enum journal_feed_status {
	JOURNAL_FEED_OK,
	JOURNAL_FEED_WAIT, /* the file was asked for; changed() tells */
	JOURNAL_FEED_GONE, /* removed by retention */
	JOURNAL_FEED_NONE, /* its number was never used */
};

/* changed is called when more is durable or a file came. */
void journal_feed_start(void (*changed)(void));
void journal_feed_stop(void);

/* Messages of qmgr. fd is taken; -1 when the file is missing. */
void journal_feed_on_file(const struct ipc_journal_file *m, int fd);
void journal_feed_on_durable(const struct ipc_journal_durable *m);
/* A new qmgr: what was asked for is asked for again. */
void journal_feed_on_qmgr(void);

/* The end of what is durable, as an lsn; 0: not known yet. */
uint64_t journal_feed_durable(void);
/* Whether a file has anything durable in it. */
bool journal_feed_has_file(uint32_t number);
/* Number of the oldest file that there is; 0: not known yet. */
uint32_t journal_feed_oldest(void);

/* A file to read. The descriptor is valid until the loop's next turn. */
enum journal_feed_status journal_feed_file(uint32_t number, int *fd) MUST_CHECK;

#endif
