/*
 * Source addresses at work: their records are looked up on a schedule, and
 * their warm-up goes on day by day. (What a tool asks: cmd_source.c.)
 */
#ifndef ACCOUNTD_SOURCES_H
#define ACCOUNTD_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "source_rule.h"
#include "waiters.h"
#include "warmup.h"

/* A mistake in source_warmup_plan is fatal(). */
void sources_start(void);
void sources_stop(void);

const struct source_rules *sources_rules(void);

/* An address was added or deleted: the records of domains say which there
 * are. */
void sources_changed(void);

/*
 * Looks the records up now, and calls fn(arg, is_told) then: is_told false
 * when resolvd did not answer. The result is in the model, unless the address
 * was deleted meanwhile. fn may be NULL.
 */
void sources_check(const struct source *s, waiter_fn *fn, void *arg);
/* The callback with this argument will not be called. */
void sources_forget(void *arg);

/* Recipients for one provider a day; 0: no limit. */
uint32_t sources_ceiling(const struct schema_source *s);
/* Its plan and day; false: it has none, or is warm. */
bool sources_warmup(const struct schema_source *s, struct warmup_plan *plan,
    struct warmup_day *day);
/* Today's number since 1970, UTC. */
uint32_t sources_today(void);

#endif
