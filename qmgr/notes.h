/*
 * What the shell must remember about each message besides the schedule: a few
 * bytes by the message's handle. Names are kept once.
 */
#ifndef QMGR_NOTES_H
#define QMGR_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "str.h"

/* flags of a note */
#define NOTE_PLAIN 1u	 /* MAIL FROM is the sender, as given */
#define NOTE_NULL 2u	 /* the sender is <> */
#define NOTE_BIG 4u	 /* has a file of its own: notes_big */
#define NOTE_BLOCKED 8u	 /* has suppressed recipients, not yet told */
#define NOTE_TEST 16u	 /* never delivered */
#define NOTE_DSN 32u	 /* waits for its notification to be written */
#define NOTE_SUCCESS 64u /* a recipient has NOTIFY=SUCCESS */
#define NOTE_WARNED 128u /* its sender has been told that it takes long */

struct note {
	uint32_t reason;	/* of the last deferral: reasons_get; 0: none */
	uint16_t return_domain; /* notes_name; 0: the default */
	uint16_t flags;
};

struct notes;
struct notes *notes_new(void);
void notes_free(struct notes **n);

void notes_set(struct notes *n, uint32_t msg, struct note note);
/* The message's note, for reading and changing. */
struct note *notes_at(struct notes *n, uint32_t msg);
/* The message is finished. */
void notes_clear(struct notes *n, uint32_t msg);

/* The number of its big file; 0: none. Setting sets NOTE_BIG. */
uint64_t notes_big(const struct notes *n, uint32_t msg);
void notes_set_big(struct notes *n, uint32_t msg, uint64_t number);
/* Messages that have one. */
size_t notes_big_count(const struct notes *n);

/* Domains of return paths by number; 0 is the empty name. */
uint16_t notes_name_number(struct notes *n, struct str name);
struct str notes_name(const struct notes *n, uint16_t number);

/*
 * Texts of failures. The last 65535 different ones are kept; the number of an
 * older one gives the empty text.
 */
uint32_t notes_reason_number(struct notes *n, struct str text);
struct str notes_reason(const struct notes *n, uint32_t number);
/* Recovery: the text had this number. */
void notes_set_reason(struct notes *n, uint32_t number, struct str text);
/* All that are kept; *at begins with 0. False at the end. */
bool notes_reason_next(
    const struct notes *n, uint32_t *at, uint32_t *number, struct str *text);

size_t notes_memory(const struct notes *n);

#endif
