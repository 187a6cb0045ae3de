/*
 * What rules and administrators have done to sites and providers for a time:
 * suspensions, back-off sets, limits. A table only: shape.c makes limits of
 * the core from it and writes its changes to the journal.
 */
#ifndef QMGR_EFFECTS_H
#define QMGR_EFFECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "core_limits.h"
#include "event.h"
#include "shaping.h"
#include "str.h"

#define EFFECT_KINDS 3
#define EFFECT_LASTING UINT64_MAX
#define EFFECT_TEXT_MAX 255u /* bytes of a reply kept */

enum effect_kind { EFFECT_SUSPENDED, EFFECT_BACKOFF, EFFECT_LIMITED };

struct effect {
	uint64_t since_us;
	uint64_t until_us; /* 0: there is none */
	struct shaping_limits limits;
	uint32_t leave_s; /* of a back-off: time without trouble */
	char set[SHAPING_NAME_MAX + 1];
	char *rule;  /* file and line, or who */
	char *reply; /* printable; "" when no reply led here */
};

/* A site or provider, for all sources or one. */
struct target {
	enum core_level level;
	char *name;
	char *source; /* address; NULL: all */
	struct effect rule[EFFECT_KINDS];
	struct effect admin[EFFECT_KINDS];
	uint32_t deferrals; /* in a row */
};

struct effects;

struct effects *effects_new(void);
void effects_free(struct effects **e);
size_t effects_count(const struct effects *e);

/* NULL: there is none. source empty: all sources together. */
struct target *effects_find(const struct effects *e, enum core_level level,
    struct str name, struct str source);
/* Makes it if need be. */
struct target *effects_get(struct effects *e, enum core_level level,
    struct str name, struct str source);
/* Forgets a target on which nothing is and whose deferrals are 0. */
void effects_settle(struct effects *e, struct target *t);
/* All of them; *at begins with 0. NULL at the end. The one found last may be
 * settled meanwhile. */
struct target *effects_next(const struct effects *e, size_t *at);

/* The place of an effect. */
struct effect *target_effect(
    struct target *t, enum effect_kind kind, bool is_admin);
bool target_has(const struct target *t, uint64_t now_us);
/* "suspended", "backoff", "limited". */
const char *effect_name(enum effect_kind kind);

/* Texts are copied, the reply cut and made printable. */
void effect_set(struct effect *x, struct str rule, struct str reply);
void effect_end(struct effect *x);

/* Whether nothing may be sent, and what all effects leave of the limits. */
bool target_apply(
    const struct target *t, uint64_t now_us, struct shaping_limits *l);

/* The fact of the target's effect, as of now; over when it is ended. Texts
 * live as long as the target; limits are written to buf. */
void effect_event(const struct target *t, enum effect_kind kind, bool is_admin,
    struct buf *buf, struct event_path_state *out);
/* Recovery: the fact. False: it is of another kind, or malformed. */
bool effects_restore(struct effects *e, const struct event_path_state *f);

#endif
