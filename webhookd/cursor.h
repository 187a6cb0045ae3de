/*
 * How far each endpoint has taken the events: one small text for all of
 * them, written anew and renamed at most once a second.
 *
 *   packetboat-cursors 1
 *   <hook> <after> <from> <failing since, us> <failures>
 *   ...
 *   end <number of lines> <CRC-32C of all before, 8 hex digits>
 */
#ifndef WEBHOOKD_CURSOR_H
#define WEBHOOKD_CURSOR_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "ring.h"
#include "str.h"

#define CURSOR_FILE "cursors"

struct cursor {
	uint32_t hook;
	uint32_t failures; /* in a row */
	struct journal_place place;
	uint64_t failing_us; /* since when; 0: it works */
};

void cursor_begin(struct buf *out);
void cursor_add(struct buf *out, const struct cursor *c);
void cursor_end(struct buf *out);

/*
 * Calls fn for each cursor. Returns 0; -EBADMSG when the text is not whole,
 * and then fn was not called at all.
 */
int cursor_parse(struct str text, void (*fn)(void *arg, const struct cursor *c),
    void *arg) MUST_CHECK;

#endif
