/*
 * What others are told about an endpoint: the log, accountd, and the tenant
 * by an alert in the journal.
 */
#ifndef WEBHOOKD_TOLD_H
#define WEBHOOKD_TOLD_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "hook.h"

/* status as Postfix has it: sent, deferred, bounced. text is ours or safe. */
void told_attempt(const struct hook *h, const char *status, const char *text);

/* accountd remembers that the endpoint is disabled, and why; lost when it is
 * down. */
void told_disabled(const struct hook *h);
/* The tenant, by an alert. */
void told_disabled_alert(const struct hook *h);

/* Events were removed from the journal before the endpoint took them. */
void told_gap(struct hook *h, uint64_t from_lsn, uint64_t to_lsn);

/* Events became dead letters. */
void told_dead(struct hook *h, size_t events);
/* Dead letters were let go: there are too many ranges. */
void told_forgotten(const struct hook *h, uint64_t events);

#endif
