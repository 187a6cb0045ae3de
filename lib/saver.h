/*
 * Writes files in a helper thread, so that the loop never waits for the disk.
 * Jobs are done one after the other in the order given: what was appended is
 * durable before a cursor that passes it is.
 */
#ifndef LIB_SAVER_H
#define LIB_SAVER_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"

/* status: 0, the file is durable; -errno. Runs in the loop. */
typedef void saver_fn(void *arg, int status);

void saver_start(void);
/* Does what is given, calls no one back any more. */
void saver_stop(void);

/* Replaces a file of the working directory (text is emptied). */
void saver_replace(const char *name, struct buf *text, saver_fn *fn, void *arg);

/*
 * Appends to a file (text is emptied); one larger than limit bytes is
 * renamed to NAME.old before.
 */
void saver_append(const char *name, struct buf *text, uint64_t limit,
    saver_fn *fn, void *arg);

#endif
