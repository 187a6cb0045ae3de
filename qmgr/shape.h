/*
 * Shaping: what shaping.cf(5), replies and administrators say becomes limits
 * of the core. Pure but for its environment, so that it is simulated with
 * the core.
 */
#ifndef QMGR_SHAPE_H
#define QMGR_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "core.h"
#include "core_limits.h"
#include "effects.h"
#include "shaping.h"

/* What it acts on. */
struct shape_env {
	struct core *core;
	void *arg;
	/* The effect began, changed or ended: a fact for the journal. */
	void (*changed)(void *arg, const struct event_path_state *fact);
	/* Jobs of the path that deliver has not begun are wanted back. */
	void (*recall)(void *arg, uint32_t path);
	/* How many sources there are, and the address of one. */
	uint32_t (*sources)(void *arg);
	struct str (*source_ip)(void *arg, uint32_t source);
};

struct shape;

/* Takes conf. */
struct shape *shape_new(struct shaping *conf, const struct shape_env *env);
void shape_free(struct shape **s);
/* The core is another one, without a site or provider yet; effects are
 * forgotten. */
void shape_restart(struct shape *s, struct core *core);
const struct effects *shape_effects(const struct shape *s);
const struct shaping *shape_conf(const struct shape *s);

/* ---- names -------------------------------------------------------------- */

/* core_site and core_provider, with their limits when they are new. The
 * provider is that of shaping.cf by the site's best host, or else known;
 * CORE_NONE when known is empty. */
uint32_t shape_site(struct shape *s, struct str site, uint64_t now_us);
uint32_t shape_provider(
    struct shape *s, struct str site, struct str known, uint64_t now_us);
/* The site serves the domain: a section of the domain is the site's. */
void shape_domain(
    struct shape *s, struct str domain, struct str site, uint64_t now_us);
/* A source became known. */
void shape_source(struct shape *s, uint32_t source, uint64_t now_us);

/* ---- results ------------------------------------------------------------ */

enum shape_outcome { SHAPE_DELIVERED, SHAPE_DEFERRED, SHAPE_FAILED };

struct shape_reply {
	struct str site;
	struct str provider; /* empty: none */
	struct str source;   /* address */
	enum shape_outcome outcome;
	enum reply_phase phase;
	struct str text;
	enum reason reason;
	bool is_local;	  /* no server and no failed connection: ours */
	bool is_throttle; /* the server asks for less */
};

/* What follows for the recipient. */
struct shape_answer {
	const struct shaping_rule *rule; /* NULL: none fits */
	const uint32_t *retry_s;	 /* until the next call; NULL: none */
	uint32_t nretry;
};

void shape_result(struct shape *s, const struct shape_reply *r, uint64_t now_us,
    struct shape_answer *out);

/* ---- time, recovery, administrators ------------------------------------- */

/* Ends what is over. When the next one is; UINT64_MAX: none. */
uint64_t shape_expire(struct shape *s, uint64_t now_us);

/* Recovery: a fact, before any name is told. False: not of this module. */
bool shape_restore(struct shape *s, const struct event_path_state *fact);

/* Suspends (limits NULL) or limits by command; who is for people. */
void shape_order(struct shape *s, enum core_level level, struct str name,
    const struct shaping_limits *limits, uint64_t until_us, struct str who,
    uint64_t now_us);
/* Ends all effects of the site or provider, for all sources; how many. */
uint32_t shape_resume(
    struct shape *s, enum core_level level, struct str name, uint64_t now_us);

/* The sections of shaping.cf for a site besides the default: of its provider;
 * of itself or a domain it serves. NULL: none. */
const struct shaping_section *shape_provider_section(
    const struct shape *s, struct str site);
const struct shaping_section *shape_site_section(
    const struct shape *s, struct str site);

/* The limits in force; whether nothing is sent. */
bool shape_limits(const struct shape *s, enum core_level level, struct str name,
    uint64_t now_us, struct shaping_limits *out);

#endif
