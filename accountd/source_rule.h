/*
 * When a source address is in service: what the answers about its records
 * mean for it. A pure function of record, answer and time.
 */
#ifndef ACCOUNTD_SOURCE_RULE_H
#define ACCOUNTD_SOURCE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "ipc.h"
#include "schema.h"

struct source_rules {
	uint64_t name_wait_us; /* after a change of name was seen */
	uint64_t grace_us;     /* without an answer, while it is good */
};

#define SOURCE_REASON_MAX 512

/*
 * Takes in an answer; rep NULL: there was none. reason has SOURCE_REASON_MAX
 * bytes, which s->reason may point to from then on. Returns whether the state
 * changed.
 */
bool source_judge(struct schema_source *s, const struct ipc_ptr_rep *rep,
    uint64_t now_us, const struct source_rules *rules, char *reason);

/* The name becomes another one: out of service until that one is seen. The
 * strings of s then point to name and constants. */
void source_rename(struct schema_source *s, struct str name, uint64_t now_us);

/* When a waiting address may return; 0: it does not wait. */
uint64_t source_ready_us(
    const struct schema_source *s, const struct source_rules *rules);

/* "good" and so on, for people and JSON. */
const char *source_state_name(uint8_t state);

#endif
