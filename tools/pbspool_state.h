/*
 * Which messages are alive: the queue as qmgr would find it at its next
 * start, in as much as a checker needs (packetboat-spool(5)).
 */
#ifndef TOOLS_PBSPOOL_STATE_H
#define TOOLS_PBSPOOL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "plog.h"
#include "uuid.h"

struct pbspool_state;

struct pbspool_message {
	struct uuid id;
	uint64_t accept_lsn;
	uint64_t segid; /* where record and content are */
	uint64_t rec_off;
	uint64_t content_off;
	uint32_t content_len;
	uint32_t n_open;     /* recipients that are not final */
	uint32_t n_dsns;     /* notifications that are due */
	uint32_t n_ordinals; /* bits in open */
	bool is_inbound;
	bool is_seen;	/* the caller's: its record was found */
	uint8_t open[]; /* bit for each recipient; not for inbound */
};

/* What the journal says about a segment. */
struct pbspool_segment {
	uint64_t segid;
	uint64_t off; /* taken in up to here */
	bool is_read; /* taken in to its end */
	bool is_removed;
	bool is_damaged; /* recorded before */
	bool is_seen;	 /* the caller's: the file is there */
};

/* Never NULL. */
struct pbspool_state *pbspool_state_new(void);
void pbspool_state_free(struct pbspool_state **s);

/* A record of the journal (its lsn) or an event in a checkpoint (0). */
void pbspool_state_record(
    struct pbspool_state *s, const struct plog_record *rec, uint64_t lsn);

/*
 * A record of a checkpoint. Returns 0, or -EBADMSG when it is malformed, which
 * makes the checkpoint worthless.
 */
int pbspool_state_checkpoint(
    struct pbspool_state *s, const struct plog_record *rec) MUST_CHECK;
/*
 * Its end: whether it was complete. *start_lsn: the journal is read from
 * there on. What an incomplete one said is forgotten.
 */
bool pbspool_state_checkpoint_end(struct pbspool_state *s, uint64_t *start_lsn);

/* NULL: not alive. */
struct pbspool_message *pbspool_state_find(
    const struct pbspool_state *s, const struct uuid *id);
/* All of them, in no order; *at begins with 0. NULL at the end. */
struct pbspool_message *pbspool_state_next(
    const struct pbspool_state *s, size_t *at);
/* Is the recipient with this ordinal not final? */
bool pbspool_message_is_open(const struct pbspool_message *m, uint32_t rcpt);

/* NULL: the journal does not know it. */
struct pbspool_segment *pbspool_state_segment(
    const struct pbspool_state *s, uint64_t segid);
struct pbspool_segment *pbspool_state_segment_next(
    const struct pbspool_state *s, size_t *at);

/* Did an event name an accepted record in this journal file? All such files
 * in no order; *at begins with 0. False at the end. */
bool pbspool_state_journal_next(
    const struct pbspool_state *s, size_t *at, uint32_t *number);

/* Records whose type or form nobody here knows. */
uint64_t pbspool_state_unknown(const struct pbspool_state *s);

#endif
