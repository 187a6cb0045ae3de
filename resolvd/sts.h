/*
 * Which MTA-STS policy (RFC 8461) a domain has now: what is known, asked for
 * and fetched anew when its record says so.
 */
#ifndef RESOLVD_STS_H
#define RESOLVD_STS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ask.h"
#include "attr.h"
#include "sts_cache.h"

struct tool;

typedef void sts_fn(void *arg);

/* A question. The owner keeps it, zeroed at first. */
struct sts {
	uint32_t ttl_s; /* how long what was found may be believed */

	TAILQ_ENTRY(sts) link;	 /* while it waits for a fetch */
	struct sts_entry *entry; /* of that fetch */
	bool is_forced;
	char domain[DOMAIN_NAME_MAX + 1];
	struct ask ask;
	struct loop_timer *timer;
	struct loop_defer defer;
	sts_fn *fn;
	void *arg;
};

/*
 * Looks for the domain's policy; fn(arg) is called once, never from within,
 * unless sts_end comes first. It takes mta_sts_fetch_timeout at most beyond
 * the question for the record. With smtp_mta_sts = no there is none.
 */
void sts_start(struct sts *x, const char *domain, sts_fn *fn, void *arg);
void sts_end(struct sts *x);

/* The same, and the policy is fetched even when nothing calls for it. */
void sts_refresh(struct sts *x, const char *domain, sts_fn *fn, void *arg);

/*
 * The policy that is valid now, NULL: there is none. Valid until the loop
 * turns.
 */
const struct sts_known *sts_policy_of(const char *domain);

/* The same for the failure of the last fetch; *retry_s says when the next one
 * may be, since 1970. */
const struct sts_failure *sts_failure_of(const char *domain, uint64_t *retry_s);

void sts_init(void);
void sts_begin(void);
void sts_stop(void);

/* pbtls: sts.list, sts.show, sts.refresh. */
void sts_tool(struct tool *t);
/* Forgets those under way. */
void sts_tools_stop(void);

#endif
