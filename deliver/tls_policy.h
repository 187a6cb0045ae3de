/*
 * How much security a connection needs: the ladder. What is known about a
 * message and its site decides first, then, for each host, what the host's
 * domain has published; the strongest rung decides, and its name is recorded.
 */
#ifndef DELIVER_TLS_POLICY_H
#define DELIVER_TLS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/* In the order of strength. */
enum tls_level {
	TLS_NONE,    /* in clear, even when TLS is offered */
	TLS_MAY,     /* TLS when it is offered; in clear when it is broken */
	TLS_ENCRYPT, /* never in clear; any certificate */
	TLS_VERIFY,  /* and the certificate must be verified */
	TLS_DANE,    /* and it is TLSA records that verify it */
	TLS_LEAVE,   /* the host must be left alone for now */
};

struct tls_policy {
	enum tls_level level;
	const char *name;   /* tls_policy of results: may, learned ... */
	const char *source; /* what decided: default table learned ... */
	bool wants_dane;    /* what a host's TLSA records say goes on top */
	bool wants_sts;	    /* and what the domain's MTA-STS policy says */
	bool is_private;    /* the message or its domain asks for it: others on
			     * the same path are not concerned when it fails */
};

/* What the TLSA records of a host amount to (RFC 7672 section 2.2). */
enum tls_tlsa {
	TLSA_NONE,     /* there are none, or not validated ones */
	TLSA_UNUSABLE, /* there are, but none that SMTP can use */
	TLSA_USABLE,
	TLSA_UNKNOWN, /* the question failed: somebody may be hiding them */
};

/* What the MTA-STS policy of a domain enforces at a host (RFC 8461 section
 * 5). */
enum tls_sts {
	TLS_STS_FREE,	 /* nothing */
	TLS_STS_NAMED,	 /* a certificate for the host's name */
	TLS_STS_REFUSED, /* the policy does not name the host */
};

/* Is it a level as smtp_tls_policy has them? */
bool tls_policy_is_level(struct str word);

/*
 * Before the host is known. site: the word that qmgr has for the site, empty
 * when it has none: learned, or a level. table: that of smtp_tls_policy,
 * empty when it has none. flags: MESSAGE_* of the message.
 */
struct tls_policy tls_policy_decide(
    struct str site, struct str table, uint32_t flags);

/* The next hop has TLS from the first byte: never less than encrypted. */
void tls_policy_smtps(struct tls_policy *p);

/* And at a host. */
struct tls_policy tls_policy_at_host(
    const struct tls_policy *job, enum tls_tlsa tlsa, enum tls_sts sts);

#endif
