/*
 * Reads checkpoint and journal of a spool: what is alive, and what is wrong
 * with those files.
 */
#ifndef TOOLS_PBSPOOL_LOAD_H
#define TOOLS_PBSPOOL_LOAD_H

#include "attr.h"
#include "pbspool_files.h"
#include "pbspool_report.h"
#include "pbspool_state.h"

/*
 * Fills the empty state and reports each file. Returns 0 or -errno of the
 * reading, with the path in *where.
 */
int pbspool_load(const struct pbspool_files *files, struct pbspool_state *state,
    struct pbspool_report *report, struct buf *where) MUST_CHECK;

#endif
