/*
 * What the files of pbexplain(1)'s command say to each other.
 */
#ifndef QMGR_TOOL_EXPLAIN_H
#define QMGR_TOOL_EXPLAIN_H

#include <jansson.h>
#include <stdint.h>

#include "str.h"

struct qmgr;
struct tool;

/* The path that mail of a pool takes to a site: its sources, with what holds
 * each back, and what is known of the site's TLS. sources: gets the address
 * of each. */
void explain_paths(struct qmgr *q, struct tool *t, uint32_t pool, uint32_t site,
    uint32_t provider, json_t *sources);

/* The limits and effects at the site, for all sources. */
void explain_limits(
    struct qmgr *q, struct tool *t, uint32_t site, uint32_t provider);

/* The evidence for TLS at the site. */
void explain_proof(struct qmgr *q, struct tool *t, struct str site);

#endif
