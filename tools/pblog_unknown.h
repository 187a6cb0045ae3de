/*
 * Replies and reports that no rule knows, grouped by their shape.
 */
#ifndef TOOLS_PBLOG_UNKNOWN_H
#define TOOLS_PBLOG_UNKNOWN_H

#include <stdbool.h>

#include "attr.h"
#include "buf.h"
#include "event_json.h"
#include "reply_class.h"

/* Shapes that are told apart; replies of further ones are counted together. */
#define PBLOG_SHAPES_MAX 10000u

/* Bytes of a shape, as of a text in bounce.cf. */
#define PBLOG_SHAPE_SIZE 513

/*
 * What is left of a reply when what differs from one to the next (addresses,
 * hosts, numbers, ids) is "*": a text that bounce.cf(5) takes. dst has
 * PBLOG_SHAPE_SIZE bytes; "" when nothing is left. Returns dst.
 */
char *pblog_shape(struct str reply, char *dst);

struct pblog_unknown;

/* rules: those in force now, which stay the caller's; NULL: none but the
 * built-in ones. */
struct pblog_unknown *pblog_unknown_new(const struct reply_rules *rules);
void pblog_unknown_free(struct pblog_unknown **u);

/* Counts an event if its reply was classed as other and still is. */
bool pblog_unknown_add(struct pblog_unknown *u, const struct event_view *v);

/* Appends the groups, the largest first; limit 0: all. */
void pblog_unknown_show(const struct pblog_unknown *u, uint64_t limit,
    bool is_json, struct buf *out);

#endif
