/*
 * The scheduling core of the queue manager: which recipient is tried next,
 * over which path, and when. A pure library: it makes no system call but for
 * memory, reads no clock and logs nothing; the shell around it feeds it what
 * happened and pulls what to do. So it can be tested against a naive model,
 * replayed, and simulated over days in seconds.
 *
 * One turn of the shell's loop:
 *
 *	more = core_advance(core, now_us);
 *	... inputs: core_add, core_result, core_site_answer ...
 *	while (budget-- > 0 && core_next(core, &out)) { act on out }
 *	run again at once when more (or the budget is used up), else at the
 *	next input or at core_wake_us(core).
 *
 * Names are numbers here: domains, sites and providers are interned by the
 * core (core_name.h); messages have a handle, valid until CORE_MESSAGE_DONE
 * for it was pulled (or, before core_start, until its last recipient is
 * final); recipients are known by message and ordinal in the envelope.
 *
 * Results and outputs: core_out.h. Names and sites: core_name.h. Limits,
 *tenants and sources: core_limits.h. Walks, commands and what tools show:
 *core_view.h.
 */
#ifndef QMGR_CORE_H
#define QMGR_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "uuid.h"

#define CORE_NONE UINT32_MAX /* no message, site, domain ... */
#define CORE_JOB_RCPTS 1000  /* recipients of one job at most */
#define CORE_RETRIES 32	     /* steps of a retry schedule at most */

struct core;

struct core_config {
	uint32_t max_messages; /* reserved address space; default 2^26 */
	uint32_t max_rcpts;    /* the same; default 2^27 */
	uint32_t retry_s[CORE_RETRIES]; /* waits before attempt 2, 3 ... */
	uint32_t nretry;		/* the last one repeats; at least 1 */
	uint32_t jitter_percent;	/* 0 to 50 */
	uint64_t seed;			/* of jitter and hash tables */
	uint32_t window_initial;	/* connections of a new path; 2 to 5 */
	uint32_t concurrency_limit;	/* hard cap of each path's window */
	uint32_t rcpt_limit; /* recipients of one job; <= CORE_JOB_RCPTS */
	uint32_t credit;     /* jobs per connection in flight; 2 */
	/* Jobs over a path's connection while others wait for its place. */
	uint32_t conn_share;
	uint32_t slice; /* objects moved by one core_advance; 2000 */
	/* An earlier run may have used up every rate until core_new's time. */
	bool is_restart;
};

/* Sensible values in every field. */
void core_config_init(struct core_config *c);

/*
 * An empty core at the time now_us. It is recovering until core_start.
 * Times: microseconds since 1970, never going back (wall clock at start plus
 * monotonic clock since). NULL when the address space is not granted.
 */
struct core *core_new(const struct core_config *c, uint64_t now_us);
void core_free(struct core **core);

/* Takes the values of c that may change while running: all but max_*, seed. */
void core_reconfigure(struct core *core, const struct core_config *c);

/*
 * Ends recovery: from here core_advance and core_next do their work. Segments
 * in which nothing is alive are told from here on; messages that became final
 * before are not.
 */
void core_start(struct core *core);

/*
 * Sets the time and moves what has become due, in a bounded slice. True: more
 * is waiting to be moved; call again after looking at the sockets.
 */
bool core_advance(struct core *core, uint64_t now_us);

/* When core_advance has something to do without further input; UINT64_MAX:
 * never. Microseconds on core_advance's clock. */
uint64_t core_wake_us(const struct core *core);

/* ---- messages: arrival and recovery ------------------------------------- */

enum core_class {
	CORE_PRIORITY = 0,
	CORE_STANDARD = 1,
	CORE_DIGEST = 2,
};

/* Where a message's record and content are; offsets fit a segment. */
struct core_place {
	uint64_t segid;
	uint32_t rec_off;
	uint32_t rec_len; /* below 2^24 */
	uint32_t content_off;
	uint32_t content_len;
	uint32_t content_crc;
};

/* flags of a message */
#define CORE_SINGLE 1u	   /* one recipient per transaction */
#define CORE_RATE_NOTED 2u /* CORE_RATE_LIMITED was said for it */
#define CORE_PINNED 4u	   /* see core_pin */
#define CORE_MSG_FLAGS 7u

struct core_rcpt {
	uint16_t ordinal;
	uint16_t attempts; /* made so far */
	uint32_t domain;
	uint32_t due_s; /* 0, or when it may be tried; seconds since 1970 */
	bool is_held;
};

struct core_message {
	struct uuid id;
	uint32_t account;
	uint32_t subaccount; /* 0: the account itself */
	uint32_t pool;	     /* of source addresses; 0: the default pool */
	enum core_class class;
	uint32_t flags;
	uint64_t accept_lsn; /* 48 bits */
	uint32_t expiry_s;   /* given up from then on */
	uint64_t size;	     /* bytes sent, for the fair share */
	struct core_place place;
};

/*
 * A message with the n recipients that are not final (n may be 0 only with
 * CORE_PINNED). For new mail and for recovery: both file a recipient by its
 * due time. Returns 0 and the handle; -EEXIST, the id is there (*msg is it);
 * -ENOSPC, max_messages or max_rcpts is reached; -EINVAL, an impossible
 * value. Nothing is changed on errors.
 */
int core_add(struct core *core, const struct core_message *m,
    const struct core_rcpt *rcpts, uint32_t n, uint32_t *msg) MUST_CHECK;

/*
 * The same before core_start, for messages of which the caller knows that none
 * is there twice (a checkpoint's): they are not looked for. Never -EEXIST.
 */
int core_restore(struct core *core, const struct core_message *m,
    const struct core_rcpt *rcpts, uint32_t n, uint32_t *msg) MUST_CHECK;

/* Before the first message: so many will come. More may. */
void core_expect(struct core *core, uint32_t messages);

/* The message's handle, or CORE_NONE. */
uint32_t core_find(const struct core *core, const struct uuid *id);

/* The message is elsewhere now (a survivor was copied out). */
int core_move(
    struct core *core, uint32_t msg, const struct core_place *to) MUST_CHECK;

/*
 * The accepted record's place in the journal became known. A message that was
 * added with 0 after core_start is not in the journal yet: its recipients
 * wait until this is called, and commands pass them by.
 */
void core_set_lsn(struct core *core, uint32_t msg, uint64_t accept_lsn);

/*
 * A pinned message is not done, even without recipients: the shell still
 * reads it (to write a notification). Pins do not nest.
 */
void core_pin(struct core *core, uint32_t msg, bool pin);

/*
 * Replay of facts of the journal, before core_start only and without any
 * output: the recipient's state becomes r's, or it is final. Returns 0, or
 * -ENOENT when there is no such recipient (it was final before: no error).
 */
int core_replay(struct core *core, uint32_t msg, const struct core_rcpt *r);
int core_replay_final(struct core *core, uint32_t msg, uint16_t ordinal);

#endif
