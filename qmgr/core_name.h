/*
 * Names and the sites of domains. Every name is interned once and is a
 * number from then on; numbers of names that nothing uses any more are given
 * to others later (a domain's after its answer's lifetime, a site's after an
 * hour without use), so the shell keeps none outside of its own requests.
 */
#ifndef QMGR_CORE_NAME_H
#define QMGR_CORE_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "core.h"
#include "str.h"

/*
 * The number of a name (1 to 300 bytes; domains in lower case by the caller).
 * *is_new (may be NULL): the name was not there; the shell then sets the
 * limits that its tables hold for a new site or provider. A domain's number
 * is kept at least until the next core_advance, and while a recipient or an
 * open CORE_RESOLVE refers to it.
 */
uint32_t core_domain(struct core *core, struct str name);
uint32_t core_site(struct core *core, struct str name, bool *is_new);
uint32_t core_provider(struct core *core, struct str name, bool *is_new);

/* Recovery: the site's provider, until an answer says another one. */
void core_site_belongs(struct core *core, uint32_t site, uint32_t provider);

/* The number or CORE_NONE; adds nothing. */
uint32_t core_domain_find(const struct core *core, struct str name);
uint32_t core_site_find(const struct core *core, struct str name);
uint32_t core_provider_find(const struct core *core, struct str name);

/* The name of a number in use; valid while it is in use. */
struct str core_domain_name(const struct core *core, uint32_t domain);
struct str core_site_name(const struct core *core, uint32_t site);
struct str core_provider_name(const struct core *core, uint32_t provider);

enum core_answer {
	CORE_ANSWER_SITE,  /* site and provider are valid for ttl_s */
	CORE_ANSWER_LATER, /* asked again after a growing wait */
	CORE_ANSWER_NEVER, /* recipients fail: CORE_DNS_FAILED; for ttl_s */
};

/*
 * The answer to CORE_RESOLVE, or an unasked one (a domain whose site is
 * fixed: ttl_s UINT32_MAX). provider may be CORE_NONE; a site's provider is
 * that of the latest answer. Until an expired answer is renewed the old one
 * stays in use, so a broken resolver stops no known destination.
 */
void core_site_answer(struct core *core, uint32_t domain,
    enum core_answer answer, uint32_t site, uint32_t provider, uint32_t ttl_s);

/*
 * All domains without a fixed answer go to this site and are never resolved
 * (relayhost); recipients of several domains share its transactions.
 * CORE_NONE ends it. provider: as in core_site_answer. Set before the first
 * message.
 */
void core_relay(struct core *core, uint32_t site, uint32_t provider);

/* Ask anew, now: answers held for the domain (CORE_NONE: for every domain
 * that has failed or waits) are no longer believed. */
void core_resolve_again(struct core *core, uint32_t domain);

#endif
