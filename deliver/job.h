/*
 * A job: one message to some of its recipients, as qmgr asked for it. It
 * waits for its route, then in its path, then belongs to one session until
 * result_job ends it.
 */
#ifndef DELIVER_JOB_H
#define DELIVER_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "attr.h"
#include "buf.h"
#include "ipc.h"
#include "tls_policy.h"
#include "uuid.h"
#include "verdict.h"

struct path;
struct route;
struct session;

struct job_rcpt {
	uint16_t ordinal;
	uint8_t notify;	  /* RCPT_NOTIFY_* */
	bool is_sent;	  /* RCPT was sent in this transaction */
	bool is_accepted; /* and taken: the reply to the dot decides */
	uint32_t attempt;
	struct str address; /* in job.rec */
	struct str orcpt;
	struct verdict verdict;
};

enum job_state {
	JOB_NEW,     /* in no list but that of all jobs */
	JOB_ROUTING, /* in route.waiting */
	JOB_WAITING, /* in path.waiting */
	JOB_BOUND,   /* a session is being opened for it */
	JOB_STARTED, /* in a transaction */
};

struct job {
	TAILQ_ENTRY(job) all;
	TAILQ_ENTRY(job) link; /* in the list that state names */
	enum job_state state;
	struct path *path;
	struct route *route;	 /* held */
	struct session *session; /* when bound or started */
	uint64_t id;
	struct uuid msgid;
	uint64_t arrived_us; /* clock_mono_us */
	uint32_t dns_ms;     /* how long the route took */
	bool is_fresh;	     /* only over a connection not used before */
	bool is_damaged;     /* its record cannot be read */
	bool may_open;	     /* a connection, until open_us */
	uint64_t open_us;    /* 0: any time; clock_mono_us, as start_us */
	uint64_t start_us;   /* goes back if not begun then; 0: never late */
	struct tls_policy policy;
	bool is_fixed;	     /* an administrator named the next hop */
	struct str next_hop; /* these four point behind rcpts */
	struct str mail_from;
	struct str auth_user; /* empty: no AUTH */
	struct str auth_password;
	uint64_t segid;
	uint64_t content_off;
	uint32_t content_len;
	uint32_t content_crc;
	/* From the accepted record: */
	struct buf rec;
	uint32_t flags; /* MESSAGE_* */
	struct str env_id;
	uint8_t ret;
	uint64_t big_file;
	uint32_t big_len;
	uint32_t big_crc;
	unsigned n_rcpts;
	struct job_rcpt *rcpts; /* in the order of their ordinals */
};

TAILQ_HEAD(job_list, job);

/* All jobs there are, for reconciliation. */
extern struct job_list jobs_all;

/* The job that a message describes, with its recipients as the spool has
 * them. NULL: a malformed message. The path is the caller's to set. */
struct job *job_new(const struct ipc_job *m);

/* What the message and its site ask for, before any host is known; flags:
 * MESSAGE_*. */
struct tls_policy job_policy(const struct ipc_job *m, uint32_t flags);

/* After result_job or result_return only. Leaves every list. */
void job_free(struct job **j);

/* Begun now it would exceed a rate that held when it was given out. */
bool job_is_late(const struct job *j);

/* Bytes of the content as they go over the wire. */
uint64_t job_size(const struct job *j);

/* Gives every recipient without a verdict this one (copied). */
void job_decide(struct job *j, const struct verdict *v);

/* The first recipient without a verdict to whom RCPT was not sent, or NULL. */
struct job_rcpt *job_next_rcpt(struct job *j);

#endif
