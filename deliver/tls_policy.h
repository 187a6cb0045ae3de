/*
 * How much security a connection needs: the ladder. Each rung says, for what
 * is known about a message and its site, whether it applies and what it asks;
 * the strongest one that applies decides, and its name is recorded.
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
};

struct tls_policy {
	enum tls_level level;
	const char *name;   /* tls_policy of results: may, learned ... */
	const char *source; /* what decided: default table learned ... */
};

/*
 * table: the policy that qmgr found for the site, empty when it has none:
 * none, may, encrypt, dane or learned. flags: MESSAGE_* of the message.
 */
struct tls_policy tls_policy_decide(struct str table, uint32_t flags);

#endif
