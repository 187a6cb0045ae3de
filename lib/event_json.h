/*
 * Events as tenants and administrators see them, packetboat-events(7):
 *
 *   {"kind":"delivery","recipient":"b@example.net",
 *    "message_id":"<the id of the 250 reply>",
 *    "details":{"event_id":...,"ts":...,"smtp":{"code":250,...},...}}
 *
 * details hold the whole record and what the message's accepted event adds
 * to it; what is not known is absent. The text is valid JSON whatever bytes
 * the record holds.
 */
#ifndef LIB_EVENT_JSON_H
#define LIB_EVENT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "event.h"
#include "uuid.h"

/*
 * One event and what is known about its message.
 *
 * event   the struct of the type, as event_decode filled it
 * acc     the message's accepted event, or NULL when there is none (any more);
 *         for an accepted event itself it is not needed
 * lsn     where the event stands in the journal
 */
struct event_view {
	unsigned type;
	const void *event;
	const struct event_accepted *acc;
	uint64_t lsn;
};

/* Appends the object for webhooks. A type that has no row is a bug. */
void event_json_append(struct buf *out, const struct event_view *v);

/*
 * Appends one line (without its end) for people and scripts: the names of
 * details at the top level, with lsn, kind, recipient and message_id.
 */
void event_json_line(struct buf *out, const struct event_view *v);

/* The object for webhooks as a tree; the caller owns it. Never NULL. */
json_t *event_json(const struct event_view *v) MUST_CHECK;

/*
 * The address an event is about: its own field, or that recipient of acc.
 * Empty when it is about no recipient or nobody knows.
 */
struct str event_recipient(const struct event_view *v);

/* A text field of the event by its name in event.def, empty when it has none;
 * and a number, 0 when it has none. */
struct str event_text(const struct event_view *v, const char *field);
uint64_t event_number(const struct event_view *v, const char *field);

#endif
