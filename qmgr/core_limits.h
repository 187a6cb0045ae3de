/*
 * Who may send how much, over which addresses: tenants, sources, limits.
 */
#ifndef QMGR_CORE_LIMITS_H
#define QMGR_CORE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "core.h"
#include "str.h"

/* What limits apply to. Each level is checked for each job. */
enum core_level {
	CORE_LEVEL_SITE,     /* index: site; sub: CORE_FROM */
	CORE_LEVEL_PROVIDER, /* index: provider; sub: CORE_FROM */
	CORE_LEVEL_SOURCE,   /* index: source */
	CORE_LEVEL_ACCOUNT,  /* index: account; all its subaccounts together */
	CORE_LEVEL_SUBACCOUNT, /* index: account, sub: subaccount */
	CORE_LEVELS,
};

/* sub at sites and providers: 0, whatever goes there counts; this, only what
 * one source address sends there. Both kinds of limits hold. */
#define CORE_FROM(source) ((source) + 1)

struct core_object {
	enum core_level level;
	uint32_t index;
	uint32_t sub;
};

/* 0 in any field: no limit of this kind here. */
struct core_limits {
	/* Connections at a time, over all paths, whatever they do; and jobs.
	 * Of accounts and subaccounts: jobs only. */
	uint32_t max_conn;
	uint32_t rate_msgs;   /* transactions ... */
	uint32_t rate_s;      /* ... in so many seconds, evenly spread */
	uint32_t burst;	      /* at once after silence; 0: 1 */
	uint32_t rate_rcpts;  /* recipients ... */
	uint32_t rate_rcpt_s; /* ... in so many seconds, evenly spread */
	uint32_t rcpt_burst;  /* of one transaction at most; 0: any */
	uint32_t rate_conns;  /* new connections ... */
	uint32_t rate_conn_s; /* ... in so many seconds, evenly spread */
	uint32_t conn_burst;  /* at once after silence; 0: 1 */
	/* What the rates let through begins within so long, or is returned; the
	 * time is taken from the even spread. 0: whenever it can. */
	uint32_t start_ms;
	uint32_t window;     /* connections of a new path; 0: the core's */
	uint32_t window_max; /* cap of a path's window; 0: the core's */
	uint32_t conn_msgs;  /* messages over one connection */
	uint32_t conn_s;     /* age of a connection, seconds */
	bool is_paused;	     /* nothing goes out */
};

/*
 * Sets the lasting limits of an object (a table's, an administrator's).
 * -ENOENT: no such site, provider, source; accounts are made when not there.
 * For accounts and subaccounts max_conn and is_paused are those of
 * core_tenant_set; setting either way replaces both.
 */
int core_limits_set(struct core *core, const struct core_object *o,
    const struct core_limits *l) MUST_CHECK;

/*
 * Limits that replace the lasting ones until until_us, then end by
 * themselves (a reply rule's; a suspension is is_paused). A later one
 * replaces an earlier; until_us in the past ends it.
 */
int core_limits_override(struct core *core, const struct core_object *o,
    const struct core_limits *l, uint64_t until_us) MUST_CHECK;

/* The limits in force, and until when (*until_us UINT64_MAX: lasting). */
int core_limits_get(const struct core *core, const struct core_object *o,
    struct core_limits *l, uint64_t *until_us) MUST_CHECK;

/* ---- tenants ------------------------------------------------------------ */

#define CORE_WEIGHT_DEFAULT 100

struct core_tenant {
	uint32_t account;
	uint32_t subaccount;   /* 0: the account itself */
	uint32_t weight;       /* share among its like; 1 to 1000 */
	uint32_t hourly_quota; /* recipients first tried in an hour; 0: any */
	uint32_t max_conn;     /* transactions at a time; 0: any */
	uint32_t queue_limit;  /* recipients queued; 0: any */
	bool is_paused;
};

/* Tenants never named have the default weight and no limits. An account's
 * quota and limits hold for all its subaccounts together. */
void core_tenant_set(struct core *core, const struct core_tenant *t);

struct core_tenant_view {
	uint32_t account;
	uint32_t subaccount;
	uint32_t queued;   /* recipients not final; of an account: of all */
	uint32_t inflight; /* transactions */
	uint32_t quota;
	uint32_t quota_used;
	uint32_t quota_hour; /* since 1970, that quota_used is about */
	uint32_t queue_limit;
	bool is_paused;
	bool is_full; /* was at queue_limit, and still has 90 % of it */
};

/* -ENOENT: never named and without mail. */
int core_tenant_get(const struct core *core, uint32_t account,
    uint32_t subaccount, struct core_tenant_view *v) MUST_CHECK;

/* All tenants; *at begins with 0. False at the end. */
bool core_tenant_next(
    const struct core *core, uint32_t *at, struct core_tenant_view *v);

/*
 * A tenant whose is_full has changed since it was given here. Refuses nothing
 * itself: who lets mail in must. False: none.
 */
bool core_tenant_crossed(struct core *core, struct core_tenant_view *v);

/* Recovery: what was used of the quota in that hour since 1970. */
void core_quota_set(struct core *core, uint32_t account, uint32_t subaccount,
    uint32_t hour, uint32_t used);

/* ---- sources and paths -------------------------------------------------- */

#define CORE_SOURCES 4096 /* numbers of sources and pools are below */

/*
 * A source address, by the shell's number; is_usable false takes it out (its
 * messages wait for others of its pool). Returns -EINVAL when the number is
 * out of range or belonged to another pool before. With no source at all in
 * the pool its messages wait.
 */
int core_source_set(struct core *core, uint32_t source, uint32_t pool,
    bool is_usable) MUST_CHECK;

/* What an earlier run found out about a path. */
struct core_path_past {
	double window;	   /* connections */
	uint32_t failures; /* suspensions in a row; 0: it was not dead */
	uint64_t until_us; /* when it is probed, of a dead one */
};

/* The path is made if it is not there. -ENOENT: no such site or source. */
int core_path_restore(struct core *core, uint32_t site, uint32_t source,
    const struct core_path_past *past) MUST_CHECK;

/* ---- source addresses that are warmed up ------------------------------- */

/* What was tried from an address at a provider on a day. */
struct core_warm {
	uint32_t address;
	uint64_t provider; /* core_provider_key */
	uint32_t day;	   /* since 1970, UTC */
	uint32_t used;	   /* recipients that had a result */
};

/* A provider (or a site that has none) by its name; the same in each run. */
uint64_t core_provider_key(struct str name);

/*
 * The source is this address of the shell's, below CORE_SOURCES; several
 * sources may be, and share its ceiling. -EINVAL: out of range.
 */
int core_source_address(
    struct core *core, uint32_t source, uint32_t address) MUST_CHECK;

/*
 * At most so many recipients are tried from the address at each provider in a
 * day (UTC); 0: any number. One that was returned untried is not counted.
 * -EINVAL: out of range.
 */
int core_ceiling_set(
    struct core *core, uint32_t address, uint32_t ceiling) MUST_CHECK;

/* Recovery: what was tried; one more that was. Other days are ignored. */
void core_warm_set(struct core *core, const struct core_warm *w);
void core_warm_add(
    struct core *core, uint32_t address, uint64_t provider, uint32_t day);
/* Recovery: n are being tried at the site, from an address that nobody knows:
 * they count at all of them. */
void core_warm_any(struct core *core, uint32_t site, uint32_t n);

/* All of today, or those that have changed since they were given here; *at
 * begins with 0. False at the end. */
bool core_warm_next(
    struct core *core, bool is_untold, uint32_t *at, struct core_warm *out);

/*
 * A path (from CORE_JOB or core_path_next) gets no new jobs until until_us;
 * in the past: resumes, if it was dead it is probed at once. -ENOENT.
 */
int core_path_suspend(
    struct core *core, uint32_t path, uint64_t until_us) MUST_CHECK;

#endif
