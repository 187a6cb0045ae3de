/*
 * The contents of messages: whether they are whole, piece by piece.
 */
#ifndef TOOLS_PBSPOOL_CONTENT_H
#define TOOLS_PBSPOOL_CONTENT_H

#include <stdint.h>

#include "attr.h"
#include "event.h"
#include "pbspool_files.h"
#include "plog.h"

/*
 * Takes a piece of the content as it is stored. Returns 0, or -errno, which
 * ends the reading. NULL: nobody wants it.
 */
typedef int pbspool_piece_fn(void *arg, const void *p, size_t n);

/*
 * Reads the content of the record in fd (segment segid, of size bytes) and,
 * where the event names one, the big file's; all of it is checked before the
 * first piece is given. Returns 0; -EBADMSG: the content in the segment is
 * not whole; -EUCLEAN: the big file is not there or not whole; what piece
 * returned; -errno.
 */
int pbspool_content_read(const struct pbspool_files *files, int fd,
    uint64_t segid, uint64_t size, const struct plog_record *rec,
    const struct event_accepted *e, pbspool_piece_fn *piece,
    void *arg) MUST_CHECK;

#endif
