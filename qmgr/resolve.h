/*
 * How a domain's site is found, and why it has no mail service.
 */
#ifndef QMGR_RESOLVE_H
#define QMGR_RESOLVE_H

#include <stdint.h>

#include "str.h"

struct qmgr;
struct routes_entry;

/* The text of resolvd or of a route, and the enum dns_status. */
const char *resolve_failure(
    const struct qmgr *q, struct str domain, uint8_t *status);

enum resolve_how {
	RESOLVE_ASK,   /* resolvd knows the site of name */
	RESOLVE_FIXED, /* name is the site */
	RESOLVE_NEVER, /* its mail is not sent: entry says why */
};

struct resolve_plan {
	enum resolve_how how;
	struct str name; /* the domain's, the entry's or ours */
	uint32_t ttl_s;	 /* unless asked for */
	const struct routes_entry *entry; /* that decided, or NULL */
};

/* What is to be done to find the site of a domain (A-labels, lower case). */
struct resolve_plan resolve_plan(const struct qmgr *q, struct str domain);

/* The core is a new one: relayhost is told it again. */
void resolve_relay(struct qmgr *q);

#endif
