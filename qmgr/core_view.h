/*
 * Looking at the queue: walks for checkpoints and tools, commands of
 * administrators, sums for recovery tests.
 */
#ifndef QMGR_CORE_VIEW_H
#define QMGR_CORE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "core.h"

/* ---- messages ----------------------------------------------------------- */

enum core_rcpt_state {
	CORE_RCPT_WAITING,   /* for its due time */
	CORE_RCPT_RESOLVING, /* for its domain's site */
	CORE_RCPT_READY,     /* in its queue, for a path and its turn */
	CORE_RCPT_INFLIGHT,  /* in a job */
	CORE_RCPT_HELD,
	CORE_RCPT_ENDED, /* final; the output is still to be pulled */
};

struct core_rcpt_view {
	struct core_rcpt r; /* due_s 0: now, or in flight */
	enum core_rcpt_state state;
};

/* The message and how many recipients are not final. -ENOENT. */
int core_message_get(const struct core *core, uint32_t msg,
    struct core_message *m, uint32_t *nrcpt) MUST_CHECK;

/* Up to max recipients that are not final, in no order; returns how many there
 * are. */
uint32_t core_message_rcpts(const struct core *core, uint32_t msg,
    struct core_rcpt_view *r, uint32_t max);

/*
 * A walk over all messages in slices; the queue may change meanwhile. A
 * message that is there from the first call to the last is seen exactly once
 * (what happens to it during the walk is the journal's to tell). *at begins
 * with 0. Returns 1: *msg is one; 0: the end; -EAGAIN: many free places were
 * passed, call again.
 */
int core_walk(const struct core *core, uint32_t *at, uint32_t *msg) MUST_CHECK;

/* ---- commands ----------------------------------------------------------- */

enum core_command {
	CORE_CMD_HOLD,
	CORE_CMD_RELEASE, /* held ones are due now */
	CORE_CMD_DELETE,
	CORE_CMD_RETRY, /* waiting ones are due now; dead paths are probed */
};

/* All that is set must agree. */
struct core_selector {
	bool by_account;
	uint32_t account;
	bool by_subaccount;
	uint32_t subaccount;
	uint32_t domain; /* or CORE_NONE */
	uint32_t site;	 /* or CORE_NONE */
	uint32_t msg;	 /* or CORE_NONE; acts at once */
	/* The shell's own test (sender, recipient, tag), after the others;
	 * NULL: none. Called with arg until CORE_ADMIN_DONE. */
	bool (*match)(void *arg, uint32_t msg, uint16_t ordinal);
	void *arg;
};

/* A selector for everything. */
void core_selector_init(struct core_selector *s);
bool core_selects(const struct core *core, const struct core_selector *s,
    uint32_t msg, const struct core_rcpt_view *r);

/*
 * Begins a command over all recipients that the selector takes, in slices;
 * each one changed is told by CORE_HELD, CORE_RELEASED or CORE_DELETED, the
 * end by CORE_ADMIN_DONE. Recipients in a job are asked back (CORE_CANCEL)
 * and held or deleted when their result leaves them alive. Messages arriving
 * while it runs may or may not be taken. Commands run one after the other.
 * Returns its number (never 0); 0: 64 commands wait already.
 */
uint32_t core_admin(
    struct core *core, enum core_command cmd, const struct core_selector *s);

/* Whether a command has messages left to see: a turn sees a part of them, so
 * the next one should come at once. */
bool core_admin_is_running(const struct core *core);

/* ---- sites, paths, domains ---------------------------------------------- */

enum core_path_state {
	CORE_PATH_OPEN,	     /* takes jobs */
	CORE_PATH_FULL,	     /* its window is used up */
	CORE_PATH_LIMITED,   /* a limit of blocked_by holds it back */
	CORE_PATH_DEAD,	     /* failed; probed at until_us */
	CORE_PATH_PROBING,   /* one job finds out */
	CORE_PATH_SUSPENDED, /* by a rule or an administrator, to until_us */
};

/* Why a limit lets nothing through. */
enum core_stop {
	CORE_STOP_NONE, /* it does: the path waits for its turn there */
	CORE_STOP_PAUSED,
	CORE_STOP_SHUT, /* the source may not be used */
	CORE_STOP_CONNECTIONS,
	CORE_STOP_CONNECTION_RATE,
	CORE_STOP_MESSAGES,   /* per time */
	CORE_STOP_RECIPIENTS, /* per time */
	CORE_STOP_CEILING,    /* the day's, of a source in its warm-up */
};

struct core_path_view {
	uint32_t path;
	uint32_t site;
	uint32_t provider; /* or CORE_NONE */
	uint32_t source;
	uint32_t pool;
	enum core_path_state state;
	uint32_t blocked_by;	/* enum core_level, of CORE_PATH_LIMITED */
	bool is_blocked_from;	/* ... by what counts for its source only */
	enum core_stop stop;	/* ... and why */
	uint64_t until_us;	/* 0: not by time */
	double window;		/* connections */
	uint32_t conns;		/* open, whatever they do */
	uint32_t busy;		/* of these, at most: with a job */
	uint32_t inflight;	/* jobs */
	uint32_t failures;	/* suspensions in a row */
	uint32_t queued;	/* recipients ready for this site and pool */
	bool is_tenant_blocked; /* all of these wait for their tenants */
};

/* One path by its number. -ENOENT. */
int core_path_get(const struct core *core, uint32_t path,
    struct core_path_view *v) MUST_CHECK;

/* All paths; *at begins with 0. False at the end. */
bool core_path_next(
    const struct core *core, uint32_t *at, struct core_path_view *v);

enum core_domain_state {
	CORE_DOMAIN_UNKNOWN,
	CORE_DOMAIN_ASKING,
	CORE_DOMAIN_LATER,  /* asked again at until_us */
	CORE_DOMAIN_KNOWN,  /* to until_us */
	CORE_DOMAIN_FAILED, /* to until_us */
};

struct core_domain_view {
	uint32_t domain;
	enum core_domain_state state;
	uint32_t site; /* or CORE_NONE */
	uint64_t until_us;
	uint32_t rcpts;	  /* not final */
	uint32_t waiting; /* of these, for its site */
};

/* As core_walk: 1, 0, -EAGAIN. */
int core_domain_next(const struct core *core, uint32_t *at,
    struct core_domain_view *v) MUST_CHECK;

/* A recipient that waits for its domain's site. */
struct core_untold {
	uint32_t msg;
	uint16_t ordinal;
	uint16_t attempts; /* made so far */
};

/*
 * Up to max recipients that wait for the domain's site and were not given
 * here before: so that the shell says once of each why it waits. Returns how
 * many they are.
 */
uint32_t core_domain_untold(
    struct core *core, uint32_t domain, struct core_untold *out, uint32_t max);

/* ---- segments ----------------------------------------------------------- */

struct core_segment_view {
	uint64_t segid;
	uint32_t messages; /* alive */
	uint64_t bytes;	   /* of their records and contents */
};

/* Zeroes when the core knows of no message in it. */
void core_segment_get(
    const struct core *core, uint64_t segid, struct core_segment_view *v);
bool core_segment_next(
    const struct core *core, uint32_t *at, struct core_segment_view *v);

/* ---- sums --------------------------------------------------------------- */

struct core_stats {
	uint32_t messages;
	uint32_t rcpts;
	uint32_t by_state[CORE_RCPT_ENDED + 1];
	uint32_t jobs;
	uint32_t domains;
	uint32_t sites;
	uint32_t paths;
};

void core_stats_get(const struct core *core, struct core_stats *st);

/* What the live objects take, bytes; falls as the queue does. */
uint64_t core_memory_bytes(const struct core *core);

/*
 * The lasting state (what a checkpoint and the journal carry), equal for
 * equal queues in whatever order they came to be: a sum, and lines of text
 * sorted by message. What is due, ready or in flight counts as due now.
 */
uint64_t core_sum(const struct core *core);
void core_dump(const struct core *core, struct buf *out);

#endif
