/*
 * The whole life of one message, step by step.
 */
#ifndef TOOLS_PBLOG_TRACE_H
#define TOOLS_PBLOG_TRACE_H

#include "attr.h"
#include "buf.h"
#include "event_json.h"

struct pblog_trace;

struct pblog_trace *pblog_trace_new(void);
void pblog_trace_free(struct pblog_trace **t);

/* Appends the lines of one event of the message, in the journal's order. */
void pblog_trace_add(
    struct pblog_trace *t, struct buf *out, const struct event_view *v);

/* Appends how each recipient ended, or when it is tried again. */
void pblog_trace_end(const struct pblog_trace *t, struct buf *out);

#endif
