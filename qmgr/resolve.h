/*
 * Why a domain has no mail service.
 */
#ifndef QMGR_RESOLVE_H
#define QMGR_RESOLVE_H

#include <stdint.h>

#include "str.h"

struct qmgr;

/* The text of resolvd or of a route, and the enum dns_status. */
const char *resolve_failure(
    const struct qmgr *q, struct str domain, uint8_t *status);

/* The core is a new one: relayhost is told it again. */
void resolve_relay(struct qmgr *q);

#endif
