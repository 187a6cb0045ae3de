/*
 * What a search need not read, by the indexes of the journal's files.
 */
#ifndef TOOLS_PBLOG_SKIP_H
#define TOOLS_PBLOG_SKIP_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "pblog_match.h"
#include "pblog_read.h"

struct pblog_skip;

/* f: complete, its kinds included (pblog_match_filter). Reads the indexes of
 * all files when conditions are about messages. Never NULL. */
struct pblog_skip *pblog_skip_new(
    const struct pblog_filter *f, struct pblog_read *r);
void pblog_skip_free(struct pblog_skip **s);

/* False: no event of the stretch fits. */
bool pblog_skip_wants(const struct pblog_skip *skip, uint32_t number,
    const struct journal_stretch *s);

#endif
