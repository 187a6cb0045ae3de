/*
 * What the shell tells the core about deliveries, and what the core tells the
 * shell to do.
 */
#ifndef QMGR_CORE_OUT_H
#define QMGR_CORE_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "core.h"
#include "outcome.h"

/* ---- results ------------------------------------------------------------ */

/* What a job's result says about the path it took. */
enum core_feedback {
	CORE_FB_OK,	  /* the server answered */
	CORE_FB_THROTTLE, /* 421 or a reply that asks for less */
	CORE_FB_CONNECT,  /* no connection: the path failed, not the rcpt */
};

struct core_result {
	enum outcome outcome;
	enum core_feedback feedback;
	uint32_t delay_s; /* wanted wait when deferred; 0: by schedule */
	/* A schedule in place of core_config's, as there; NULL: that. */
	const uint32_t *retry_s;
	uint32_t nretry;
};

enum core_fate {
	CORE_FATE_FINAL,   /* the recipient is forgotten */
	CORE_FATE_RETRY,   /* tried again at due_s (CORE_EXPIRED may come) */
	CORE_FATE_AGAIN,   /* returned: given out again, no attempt counted */
	CORE_FATE_HELD,	   /* held by an administrator meanwhile */
	CORE_FATE_DELETED, /* deleted meanwhile; CORE_DELETED follows */
};

/* What the core decided: facts for the journal. */
struct core_verdict {
	enum core_fate fate;
	uint16_t attempts; /* made so far, this one included */
	uint32_t due_s;
};

/*
 * One recipient's result of a job. The job is over when all its recipients
 * had theirs. Returns 0; -ENOENT, no such job or not with this recipient.
 */
int core_result(struct core *core, uint64_t job, uint16_t ordinal,
    const struct core_result *r, struct core_verdict *v) MUST_CHECK;

/* All recipients of the job without a result are given out again (deliver
 * died, or the job could not be sent). -ENOENT: no such job. */
int core_job_return(struct core *core, uint64_t job);

/*
 * A result for a recipient that is in no job: of a job given out before a
 * restart. Says nothing about a path. -ENOENT: no such recipient; -EBUSY: it
 * is in a job.
 */
int core_result_late(struct core *core, uint32_t msg, uint16_t ordinal,
    const struct core_result *r, struct core_verdict *v) MUST_CHECK;

/*
 * A job given out before a restart still runs in deliver: its recipients are
 * not given out again; results come by core_result under the new *job.
 * Recipients that are not there or in a job are left out. site and source as
 * known (the path is made); -ENOENT when no recipient is left.
 */
int core_adopt(struct core *core, uint32_t msg, uint32_t site, uint32_t source,
    const uint16_t *ordinals, uint32_t n, uint64_t *job) MUST_CHECK;

/* ---- connections -------------------------------------------------------- */

/*
 * How the connections of a path have changed. Each job with may_open counts
 * as one of open and usable from the moment at which it is given out; what
 * becomes of it is told here. For an unknown path nothing happens.
 */
struct core_conns {
	int32_t open;	/* whatever they do, being closed too */
	int32_t usable; /* of these, that take a job now or soon */
	int32_t ready;	/* of these, beyond their opening */
	int32_t asked;	/* of those that CORE_CLOSE wants closed, dealt with */
};
void core_conns_changed(
    struct core *core, uint32_t path, const struct core_conns *by);

/* The path by its ends, made if it is not there; CORE_NONE: no such site or
 * source. */
uint32_t core_path_named(struct core *core, uint32_t site, uint32_t source);

/* ---- outputs ------------------------------------------------------------ */

enum core_out_kind {
	CORE_JOB,	   /* send a job to deliver */
	CORE_CANCEL,	   /* ask deliver to return what it has not begun */
	CORE_CLOSE,	   /* ask deliver to close idle connections */
	CORE_RESOLVE,	   /* ask which site serves the domain */
	CORE_EXPIRED,	   /* recipient final: too old */
	CORE_DNS_FAILED,   /* recipient final: its domain has no mail service */
	CORE_DELETED,	   /* recipient final: by an administrator */
	CORE_HELD,	   /* recipient held */
	CORE_RELEASED,	   /* recipient due again (release, retry) at due_s */
	CORE_RATE_LIMITED, /* message waits for its quota until due_s */
	CORE_MESSAGE_DONE, /* last recipient final: the handle ends here */
	CORE_SEGMENT_EMPTY, /* nothing in the segment is alive (now) */
	CORE_ADMIN_DONE,    /* a command has seen every message */
};

struct core_job_rcpt {
	uint16_t ordinal;
	uint32_t attempt; /* number of this attempt, from 1 */
	uint32_t domain;
};

struct core_job {
	uint64_t id; /* never used twice by one core */
	uint32_t path;
	uint32_t site;
	uint32_t provider; /* CORE_NONE: none */
	uint32_t source;
	uint32_t domain;     /* next hop, unless the site is a relay */
	bool is_probe;	     /* of a path that was dead */
	uint16_t conn_limit; /* connections allowed to this path from now on */
	uint32_t conn_messages; /* messages per connection; 0: any */
	uint32_t conn_seconds;	/* age of a connection; 0: any */
	bool may_open;		/* a connection more may be opened */
	bool is_counted;	/* somewhere connections are limited */
	uint32_t open_ms;	/* ... within so long; 0: whenever */
	uint32_t start_ms;	/* begun later it exceeds a rate; 0: never */
	uint32_t nrcpt;
	const struct core_job_rcpt *rcpts; /* until the next call */
};

struct core_out {
	enum core_out_kind kind;
	/* About a message or recipient: */
	uint32_t msg;
	struct uuid id;
	uint64_t accept_lsn;
	struct core_place place;
	uint32_t account;
	uint32_t subaccount;
	uint16_t ordinal;
	uint16_t attempts; /* made so far */
	uint32_t domain;   /* also of CORE_RESOLVE */
	uint32_t due_s;
	uint32_t quota;	     /* CORE_RATE_LIMITED */
	struct core_job job; /* CORE_JOB */
	uint32_t path;	     /* CORE_CANCEL: path, or CORE_NONE for msg */
	uint32_t conns;	     /* CORE_CLOSE: so many, of path */
	uint64_t segid;	     /* CORE_SEGMENT_EMPTY */
	uint32_t command;    /* CORE_ADMIN_DONE: as core_admin gave it */
	uint64_t count;	     /* ... and the recipients it changed */
};

/*
 * The next thing to do; false: nothing now. What an output says has happened
 * in the core already; only fields of its kind are set.
 */
bool core_next(struct core *core, struct core_out *out);

#endif
