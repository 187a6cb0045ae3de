/*
 * How far each endpoint has taken the events: one small text for all of
 * them, written anew and renamed at most once a second.
 *
 *   packetboat-cursors 1
 *   <hook> <after> <from> <failing since, us> <failures> <begin> <asked>
 *   dead <hook> <first> <from> <last> <events> <first us> <last us>
 *       <given up, us> <asked, us>
 *   ...
 *   end <number of lines> <CRC-32C of all before, 8 hex digits>
 *
 * Each dead line (one line, struct dead_range) follows the line of its
 * endpoint. Begin and asked may be left out, and are 0 then.
 */
#ifndef WEBHOOKD_CURSOR_H
#define WEBHOOKD_CURSOR_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "dead.h"
#include "ring.h"
#include "str.h"

#define CURSOR_FILE "cursors"

struct cursor {
	uint32_t hook;
	uint32_t failures; /* in a row */
	/* after 0: not found yet, events begin at begin_us. */
	struct journal_place place;
	uint64_t failing_us; /* since when; 0: it works */
	uint64_t begin_us;   /* events before are not sent */
	uint64_t asked_us;   /* when events were asked for again; 0: never */
	struct dead_list dead;
};

void cursor_begin(struct buf *out);
void cursor_add(struct buf *out, const struct cursor *c);
void cursor_end(struct buf *out);

/*
 * Calls fn for each cursor, whose dead letters are freed behind it. Returns 0;
 * -EBADMSG when the text is not whole, and then fn was not called at all.
 */
int cursor_parse(struct str text, void (*fn)(void *arg, const struct cursor *c),
    void *arg) MUST_CHECK;

#endif
