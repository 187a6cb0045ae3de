/*
 * Events as lines for people.
 */
#ifndef TOOLS_PBLOG_SHOW_H
#define TOOLS_PBLOG_SHOW_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "event_json.h"

/*
 * "2026-11-22T10:00:00.123456Z delivery <id>: to=<b@example.net>, relay=...":
 * one line, without its end. Bytes of strangers are made harmless.
 */
void pblog_show_line(struct buf *out, const struct event_view *v);

/* The same from the kind on, without time and id. */
void pblog_show_facts(struct buf *out, const struct event_view *v);

/* One line, without its end, about an accepted or refused event: who asked for
 * what, how long it took, and the reply. */
void pblog_show_submission(struct buf *out, const struct event_view *v);

#endif
