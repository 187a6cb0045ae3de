/*
 * The core's inside: its state, and what its files say to each other.
 */
#ifndef QMGR_CORE_IMPL_H
#define QMGR_CORE_IMPL_H

#include "core.h"
#include "core_limits.h"
#include "core_name.h"
#include "core_obj.h"
#include "core_out.h"
#include "core_sched.h"
#include "core_slab.h"
#include "core_view.h"

#define WHEEL_SLOTS (1u << 20) /* of a second */
#define WHEEL_MASK (WHEEL_SLOTS - 1)
#define FAR_CHECK_S 86400u
#define SWEEP_US (60 * 1000000ULL) /* every message is looked at so often */
#define SITE_IDLE_US (3600 * 1000000ULL)
#define ADMIN_QUEUE 64u
#define DEFICIT_UNIT 25 /* so the default weight pays four units a round */

enum timer_kind { TIMER_GATE = 1, TIMER_PATH, TIMER_DOMAIN };

struct timer {
	uint64_t at_us;
	uint32_t kind;
	uint32_t index;
};

struct wheel {
	uint32_t *slot;			     /* recipients by due second */
	uint64_t *bits;			     /* slots in use */
	uint64_t sum[WHEEL_SLOTS / 64 / 64]; /* words of bits in use */
	uint32_t now_s; /* everything due until then has left */
	uint32_t far;	/* due beyond the wheel */
	uint32_t nfar;
	uint32_t far_left;    /* of this day's check */
	uint32_t far_check_s; /* next check */
	uint32_t overdue;     /* filed after its time */
};

struct admin {
	uint32_t id;
	enum core_command cmd;
	struct core_selector sel;
	uint32_t at; /* next message */
	uint64_t count;
};

/* Something to tell about a message whose state has changed already. */
struct note {
	enum core_out_kind kind;
	uint32_t msg;
	uint16_t ordinal;
};

struct core {
	struct core_config conf;
	uint64_t now_us;
	uint64_t begun_us; /* core_new's time */
	uint32_t now_s;
	bool is_started;
	uint32_t budget; /* objects that this turn may still move */

	struct slab msgs, rcpts, segments, domains, sites, providers;
	struct slab tenants, flows, gates, rings, fqs, paths, jobs;
	struct slab warms;
	struct htab msg_by_id, segment_by_id, domain_by_name, site_by_name;
	struct htab provider_by_name, tenant_by_id, flow_by_id, ring_by_id;
	struct htab fq_by_id, warm_by_key;
	struct source *sources; /* CORE_SOURCES */
	struct pool *pools;	/* CORE_SOURCES */
	uint32_t *ceilings;	/* CORE_SOURCES, by address */

	struct wheel wheel;
	struct timer *timers; /* a heap, from 1 */
	uint32_t ntimers;
	uint32_t max_timers;

	uint32_t ended; /* recipients to be told final */
	uint32_t done;	/* messages, linked by rcpts */
	uint32_t done_last;
	uint32_t empty;	     /* segments */
	uint32_t to_ask;     /* domains */
	uint32_t moving;     /* domains whose recipients can go on */
	uint32_t running;    /* rings that may have a job */
	uint32_t awake;	     /* gates that are open and have waiters */
	uint32_t noting;     /* leaves with messages that wait for a quota */
	uint32_t cancelling; /* paths */
	uint32_t idle;	     /* paths with connections to spare, oldest first */
	uint32_t asking;     /* paths of which some shall be closed */
	uint32_t crossed;    /* tenants that became full, or have room */

	uint32_t relay; /* site, or NIL */
	uint64_t job_count;
	uint64_t sweep_us; /* when this sweep has begun */
	uint32_t sweep_at; /* next message to look at */
	uint32_t gc_domain;
	uint32_t gc_site;
	uint32_t gc_warm;
	uint32_t by_state[CORE_RCPT_ENDED + 1];
	size_t name_bytes;

	struct admin admin[ADMIN_QUEUE];
	uint32_t admin_first;
	uint32_t nadmin;
	uint32_t last_command;
	struct note *notes; /* of the message that a command works on */
	size_t nnotes, max_notes, note_at;

	struct core_job_rcpt job_rcpts[CORE_JOB_RCPTS];
};

#define CORE_AT(what, plural)                                                  \
	static inline struct what *what##_at(                                  \
	    const struct core *core, uint32_t i)                               \
	{                                                                      \
		return &((struct what *)(void *)core->plural.base)[i];         \
	}
CORE_AT(msg, msgs)
CORE_AT(rcpt, rcpts)
CORE_AT(segment, segments)
CORE_AT(domain, domains)
CORE_AT(site, sites)
CORE_AT(provider, providers)
CORE_AT(tenant, tenants)
CORE_AT(flow, flows)
CORE_AT(gate, gates)
CORE_AT(ring, rings)
CORE_AT(fq, fqs)
CORE_AT(path, paths)
CORE_AT(job, jobs)
CORE_AT(warm, warms)
#undef CORE_AT

#define CORE_KIN(name, type, plural, member)                                   \
	static inline struct kin name##_kin(const struct core *core)           \
	{                                                                      \
		return (struct kin){ &core->plural,                            \
			offsetof(struct type, member) };                       \
	}
CORE_KIN(rcpt, rcpt, rcpts, link)
CORE_KIN(empty, segment, segments, empty)
CORE_KIN(ask, domain, domains, ask)
CORE_KIN(moving, domain, domains, moving)
CORE_KIN(awake, gate, gates, awake)
CORE_KIN(pool, ring, rings, pool_link)
CORE_KIN(run, ring, rings, run)
CORE_KIN(fq, fq, fqs, link)
CORE_KIN(note, fq, fqs, note)
CORE_KIN(path, path, paths, link)
CORE_KIN(cancel, path, paths, cancel)
CORE_KIN(idle, path, paths, idle)
CORE_KIN(ask_path, path, paths, ask)
CORE_KIN(crossed, tenant, tenants, crossed)
#undef CORE_KIN

#include "core_calls.h"

#endif
