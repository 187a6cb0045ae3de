/*
 * pbspool check: every file of a spool, and every message that is alive.
 */
#ifndef TOOLS_PBSPOOL_CHECK_H
#define TOOLS_PBSPOOL_CHECK_H

#include "attr.h"
#include "pbspool_files.h"
#include "pbspool_report.h"

/*
 * Prints a report for each file and a summary. report->damages tells whether
 * acknowledged bytes are gone. Returns 0 or -errno of the reading, with the
 * path in *where.
 */
int pbspool_check(const struct pbspool_files *files,
    struct pbspool_report *report, struct buf *where) MUST_CHECK;

#endif
