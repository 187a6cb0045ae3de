/*
 * Which event: its id, and what tells it from others in its stored form
 * without decoding it whole.
 */
#ifndef LIB_EVENT_ID_H
#define LIB_EVENT_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "event.h"
#include "uuid.h"

/*
 * The event's own id, a UUID of version 7: the same event gives the same id
 * whenever it is sent, ids sort by time, and the last 48 bits are the lsn.
 *
 *   unix ms (48) | 7 (4) | us below the ms (12) | 2 (2) | hash of the
 *   message id (14) | lsn (48)
 */
struct uuid event_id(uint64_t time_us, const struct uuid *msgid, uint64_t lsn);
/* The lsn in such an id. */
uint64_t event_id_lsn(const struct uuid *id);

/*
 * The fields that begin every record with EVENT_COMMON, read without
 * decoding the rest. False when the type has none or the record is short.
 */
bool event_peek(unsigned type, struct str rec, struct event_common *out);

#endif
