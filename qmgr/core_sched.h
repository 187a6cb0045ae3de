/*
 * What the schedule is made of:
 *
 *	site -> ring (site and pool) -> account queue -> tenant queue -> FIFOs
 *
 * A path (site and source address) takes from the ring of its source's pool.
 * What a limit holds back leaves its list and waits at the gate of that
 * limit, so that nothing blocked is looked at twice.
 */
#ifndef QMGR_CORE_SCHED_H
#define QMGR_CORE_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "core_limits.h"
#include "core_obj.h"

/* Where limits are kept and what they hold back waits. */
struct gate {
	struct core_limits base;
	struct core_limits override;
	uint64_t override_until_us;
	uint64_t tat_us;      /* GCRA: theoretical arrival time of the next */
	uint64_t rcpt_tat_us; /* the same of recipients */
	uint64_t conn_tat_us; /* the same of new connections */
	uint32_t inflight;    /* jobs */
	uint32_t conns;	      /* open, or allowed to be opened */
	uint32_t closing;     /* of these, deliver was asked to close */
	uint32_t waiters;     /* paths, or fqs at a tenant's gate */
	struct link awake;
	uint32_t timer;
	uint32_t owner; /* tenant at tenants' gates */
	uint32_t next;	/* of the same site or provider, for one source */
	uint32_t from;	/* CORE_FROM(source), 0: all sources */
	uint8_t level;	/* enum core_level */
	bool is_awake;
	bool is_shut; /* a source that may not be used */
};

/* The level of a gate at a warming address and a provider; owner is the
 * struct warm. */
#define GATE_WARM CORE_LEVELS

/* What was tried from an address at a provider on a day. */
struct warm {
	uint32_t chain;
	uint32_t address;
	uint64_t provider; /* core_provider_key */
	uint32_t gate;	   /* NIL: the place is free */
	uint32_t day;	   /* since 1970, UTC */
	uint32_t used;	   /* recipients */
	uint32_t out;	   /* of these, in jobs now */
	uint32_t told;	   /* by core_warm_next */
};

struct tenant {
	uint32_t account;
	uint32_t sub;
	uint32_t chain;
	uint32_t parent; /* the account; its own number at an account */
	uint32_t weight;
	uint32_t quota;
	uint32_t used;
	uint32_t hour;
	uint32_t queued;
	uint32_t queue_limit;
	uint32_t gate;
	struct link crossed;
	bool is_full;
	bool is_crossed; /* in that list */
};

/* A tenant's mail through a pool. */
struct flow {
	uint32_t tenant;
	uint32_t pool;
	uint32_t chain;
};

struct source {
	uint32_t gate; /* NIL: never named */
	uint32_t pool;
	uint32_t address; /* + 1; 0: none that has a ceiling */
	uint32_t next;	  /* source + 1 of the same pool, 0 ends */
};

struct pool {
	uint32_t sources; /* source + 1, 0: none */
	uint32_t nsources;
	uint32_t rings;
};

struct ring {
	uint32_t site;
	uint32_t pool;
	uint32_t chain;
	uint32_t site_next;
	struct link pool_link;
	uint32_t active; /* account queues with work; the first has its turn */
	uint32_t nactive;
	uint32_t weight; /* of the active ones */
	uint32_t window; /* connections of its paths together */
	uint32_t avail;	 /* paths that may take a job */
	uint32_t paths;
	uint32_t nsources; /* that have a path here */
	struct link run;
	bool is_running;
	uint32_t queued; /* recipients */
	uint32_t inflight;
};

enum fq_state { FQ_IDLE, FQ_ACTIVE, FQ_PARKED };

/* A queue with its fair share: of an account at a ring, or (with FIFOs) of a
 * tenant in its account's queue. */
struct fq {
	uint32_t parent; /* ring, or account queue */
	uint32_t tenant;
	uint32_t chain;
	struct link link; /* among the active, or at a gate */
	uint32_t active;  /* tenant queues of an account queue */
	uint32_t nactive;
	uint32_t queued; /* recipients */
	uint32_t inflight;
	uint32_t weight;
	int32_t deficit;
	uint32_t fifo[CLASSES];
	uint32_t unnoted[CLASSES]; /* first without CORE_RATE_LIMITED */
	struct link note;
	uint8_t credit[CLASSES];
	uint8_t state;
	bool is_leaf;
	bool is_noting;
	bool is_ticketed; /* its turn at its tenant's gate has come */
	bool is_on_quota; /* why it is parked */
};

enum path_state {
	PATH_AVAIL,
	PATH_FULL,
	PATH_PARKED,
	PATH_DEAD,
	PATH_SUSPENDED
};

struct path {
	uint32_t ring_next;
	uint32_t ring; /* NIL: the place is free */
	uint32_t source;
	struct link link; /* available ones of the ring, or at a gate */
	struct link cancel;
	double window;
	double cohorts;	  /* of failures in a row */
	uint32_t counted; /* in the ring's window */
	uint64_t until_us;
	uint32_t inflight;
	uint32_t failures; /* suspensions in a row */
	uint32_t timer;
	uint32_t gate;	  /* where it is parked */
	uint32_t held_by; /* gate that allows no further connection, or NIL */
	struct link idle; /* among those with connections to spare */
	struct link ask;
	uint32_t conns;	  /* count at its gates: open, opened, being closed */
	uint32_t usable;  /* of these, for jobs now or soon */
	uint32_t ready;	  /* of these, open */
	uint32_t closing; /* deliver was asked to close so many */
	uint32_t to_ask;  /* more of these, not said yet */
	uint32_t turns;	  /* jobs since its latest new connection */
	uint8_t state;
	uint8_t tickets; /* gate_ticket: its turn at that gate has come */
	bool is_probing;
	bool is_idle;	/* in that list */
	bool is_asking; /* in that list */
	bool is_paced;	/* a rate holds: nothing is given out ahead */
	bool is_stuck;	/* what was given out ahead came back */
	bool may_open;	/* its next job may open a connection */
	bool is_dead;	/* what a suspension returns to */
	bool is_cancelling;
};

/* Gates that a path passes, and a job with its tenants'. */
#define PATH_GATES 6u
#define JOB_GATES (PATH_GATES + 2u)

struct job {
	uint32_t msg;
	uint32_t path;
	uint64_t id; /* 0: the place is free */
	uint32_t fq; /* account queue */
	uint32_t tenant;
	uint32_t gates[JOB_GATES]; /* that it counts at */
	uint32_t ngates;
	uint32_t rcpts;
	uint32_t nrcpt;
	uint32_t quota_hour;
	uint32_t warm; /* that it counts at, or NIL */
	uint32_t warm_day;
	int8_t feedback; /* worst enum core_feedback so far */
};

#endif
