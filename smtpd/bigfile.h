/*
 * The body of a big message in a file of its own. A helper thread writes and
 * syncs, so that the loop never waits for the disk.
 */
#ifndef SMTPD_BIGFILE_H
#define SMTPD_BIGFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"

struct bigfile;

/*
 * What was asked for is done: the file is there, data is written, all is
 * durable. status: 0 or -errno; after an error only bigfile_close may follow.
 */
typedef void bigfile_fn(void *arg, int status);

/* Asks for a file. fn is called from the loop, never from within. */
struct bigfile *bigfile_open(bigfile_fn *fn, void *arg);

/* Nothing is under way: bigfile_write or bigfile_sync may be called. */
bool bigfile_is_idle(const struct bigfile *b);

/* Appends data (taken: empty afterwards). */
void bigfile_write(struct bigfile *b, struct buf *data);

/* Makes what was written durable. */
void bigfile_sync(struct bigfile *b);

/* The file's number for the accepted event. */
uint64_t bigfile_number(const struct bigfile *b);

/*
 * Closes. Not is_kept: no message refers to it; it is emptied, and used for
 * the next big message. fn is not called any more.
 */
void bigfile_close(struct bigfile **b, bool is_kept);

/* Waits for the helper thread, if it was started; frees everything. */
void bigfile_fini(void);

#endif
