/*
 * What is known about TLS at sites: evidence that it works, and what follows.
 * A site that has delivered over TLS often enough, on enough days, from enough
 * of our addresses, without one delivery in clear between, is learned: TLS is
 * required there from then on. Pure: no clock, no journal.
 */
#ifndef QMGR_TLS_SITES_H
#define QMGR_TLS_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "str.h"

#define TLS_SITE_SOURCES 8

enum tls_site_state {
	TLS_SITE_EVIDENCE, /* not enough yet */
	TLS_SITE_LEARNED,
	TLS_SITE_PINNED, /* by an administrator's word */
};

struct tls_site {
	char *name;
	enum tls_site_state state;
	uint32_t successes; /* in a row */
	uint32_t days;	    /* with at least one */
	uint32_t last_day;  /* since 1970 */
	uint32_t n_sources;
	uint32_t sources[TLS_SITE_SOURCES]; /* hashes of our addresses */
	uint64_t first_us;
	uint64_t learned_us;
	uint32_t violations;
	uint64_t violated_us;
	bool is_violated; /* and nothing was delivered since */
};

/* When a site is learned; limit: of sites remembered. */
struct tls_learn {
	bool is_on;
	uint32_t successes;
	uint32_t days;
	uint32_t sources;
	size_t limit;
};

struct tls_sites;
struct tls_sites *tls_sites_new(void);
void tls_sites_free(struct tls_sites **t);

/*
 * Is TLS required at the site? For one that nothing is known about: if a host
 * of its name is one of a learned site's, so that a change in a set of MX
 * hosts loses nothing.
 */
bool tls_sites_is_required(const struct tls_sites *t, struct str name);

/* What changed, as far as anybody must hear of it. */
enum tls_site_change {
	TLS_SITE_SAME,
	TLS_SITE_CHANGED,   /* worth remembering */
	TLS_SITE_PROMOTED,  /* it is learned now */
	TLS_SITE_RECOVERED, /* TLS works again after a violation */
	TLS_SITE_VIOLATED,  /* for the first time since a delivery */
};

/* A delivery over TLS from one of our addresses. */
enum tls_site_change tls_sites_success(struct tls_sites *t,
    const struct tls_learn *l, struct str name, struct str source,
    uint64_t now_us);
/* A delivery in clear: evidence begins anew. */
enum tls_site_change tls_sites_clear(struct tls_sites *t, struct str name);
/* TLS was required and could not be had. */
enum tls_site_change tls_sites_violation(
    struct tls_sites *t, struct str name, uint64_t now_us);

/* An administrator's word. Pardoned sites begin to learn anew. */
void tls_sites_pin(struct tls_sites *t, struct str name, uint64_t now_us);
void tls_sites_pardon(struct tls_sites *t, struct str name);

/* The site, or NULL. Valid until the next change. */
const struct tls_site *tls_sites_find(
    const struct tls_sites *t, struct str name);
/* All of them, in no order; *at begins with 0. */
const struct tls_site *tls_sites_next(const struct tls_sites *t, size_t *at);
/* Is host one of the site's hosts, or its name? */
bool tls_site_has(const struct tls_site *s, struct str host);

/* Recovery: what was remembered. name is copied from the text. */
void tls_sites_restore(
    struct tls_sites *t, struct str name, const struct tls_site *s);

#endif
