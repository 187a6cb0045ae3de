/*
 * The dialogue of an attempt, for people who ask why it failed. Content stays
 * out; what a client says to log in is left out by the caller (session_secret).
 */
#ifndef DELIVER_TRANSCRIPT_H
#define DELIVER_TRANSCRIPT_H

#include <stdbool.h>

#include "attr.h"
#include "buf.h"
#include "smtp_reply.h"

#define TRANSCRIPT_MAX 16384 /* bytes, as in attempt.def */

struct transcript {
	struct buf text;
	bool is_full;
};

/* A command as it was sent, without CRLF. */
void transcript_sent(struct transcript *t, struct str line);

/* A reply as it came. */
void transcript_received(struct transcript *t, const struct smtp_reply *r);

/* What happened otherwise: "connect to ...", "TLSv1.3". */
void transcript_note(struct transcript *t, const char *fmt, ...) PRINTF(2, 3);

void transcript_clear(struct transcript *t);
void transcript_fini(struct transcript *t);

#endif
